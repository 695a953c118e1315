"""The topologies, by id; each is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from .base import Topology

#: Where each topology lives: module and class.
_HOMES = {
    "decoder_lm": ("decoder_lm", "DecoderTopology"),
    "encoder_decoder": ("encoder_decoder", "EncoderDecoderTopology"),
    "speech_recognizer": ("encoder_decoder", "SpeechTopology"),
    "audio_classifier": ("audio_classifier", "AudioTopology"),
    "video_classifier": ("video_classifier", "VideoTopology"),
    "dual_encoder": ("dual_encoder", "DualEncoderTopology"),
    "vlm": ("vlm", "VlmTopology"),
    "fused": ("fused", "FusedTopology"),
    "text_encoder": ("text_encoder", "TextEncoderTopology"),
    "vit": ("vit", "VitTopology"),
    "resnet": ("convnets", "ResNetTopology"),
    "convnext": ("convnets", "ConvNextTopology"),
    "mamba_lm": ("mamba_lm", "MambaTopology"),
    "hybrid_lm": ("hybrid_lm", "HybridTopology"),
    "segformer": ("segformer", "SegFormerTopology"),
    "detr": ("detr", "DetrTopology"),
    "detr_masks": ("detr", "InstanceTopology"),
}


class _Registry(Mapping[str, Topology]):
    def __getitem__(self, topology_id: str) -> Topology:
        module, name = _HOMES[topology_id]
        return getattr(import_module(f".{module}", __package__), name)()

    def __iter__(self) -> Iterator[str]:
        return iter(_HOMES)

    def __len__(self) -> int:
        return len(_HOMES)


TOPOLOGIES: Mapping[str, Topology] = _Registry()

__all__ = ["TOPOLOGIES", "Topology"]
