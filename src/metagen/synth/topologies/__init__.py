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
    "audio_codec": ("audio_codec", "CodecTopology"),
    "video_classifier": ("video_classifier", "VideoTopology"),
    "avatar": ("avatar", "AvatarTopology"),
    "video_diffusion": ("video_diffusion", "VideoDiffusionTopology"),
    "audio_diffusion": ("audio_diffusion", "AudioDiffusionTopology"),
    "shape_diffusion": ("shape_diffusion", "ShapeDiffusionTopology"),
    "dual_encoder": ("dual_encoder", "DualEncoderTopology"),
    "vlm": ("vlm", "VlmTopology"),
    "fused": ("fused", "FusedTopology"),
    "actor_critic": ("actor_critic", "ActorCriticTopology"),
    "pixel_actor_critic": ("actor_critic", "PixelActorCriticTopology"),
    "q_network": ("q_network", "QNetworkTopology"),
    "pixel_q_network": ("q_network", "PixelQNetworkTopology"),
    "decision_transformer": ("rl_sequences", "DecisionTopology"),
    "text_encoder": ("text_encoder", "TextEncoderTopology"),
    "vit": ("vit", "VitTopology"),
    "resnet": ("convnets", "ResNetTopology"),
    "convnext": ("convnets", "ConvNextTopology"),
    "mamba_lm": ("mamba_lm", "MambaTopology"),
    "hybrid_lm": ("hybrid_lm", "HybridTopology"),
    "autoencoder": ("autoencoder", "AutoencoderTopology"),
    "unet": ("unet", "UNetTopology"),
    "dit": ("dit", "DitTopology"),
    "mmdit": ("dit", "MmditTopology"),
    "segformer": ("segformer", "SegFormerTopology"),
    "codec_lm": ("codec_lm", "CodecLmTopology"),
    "detr": ("detr", "DetrTopology"),
    "detr_masks": ("detr", "InstanceTopology"),
    "graph_nodes": ("graph", "NodeTopology"),
    "graph_links": ("graph", "LinkTopology"),
    "graph_reader": ("graph", "ReaderTopology"),
    "mixed": ("mixed", "MixedTopology"),
    "patch_forecaster": ("forecasting", "PatchForecaster"),
    "state_space_forecaster": ("forecasting", "StateSpaceForecaster"),
    "series_detector": ("series_judges", "SeriesDetectorTopology"),
    "series_classifier": ("series_judges", "SeriesClassifierTopology"),
    "tabular_transformer": ("tabular", "TabularTopology"),
    "tabular_mlp": ("tabular", "PerceptronTopology"),
    "two_towers": ("recommender", "RecommenderTopology"),
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
