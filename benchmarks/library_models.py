"""Published models as transformers and diffusers build them, from published.json's dimensions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Inputs = dict[str, Tensor]
Dims = dict[str, Any]


def tokens(length: int) -> Tensor:
    """A sequence of one token, `(1, length)`."""
    return torch.zeros(1, length, dtype=torch.long)


def unmasked(length: int) -> Tensor:
    """An attention mask that hides nothing, `(1, 1, length, length)`; made here, none is made."""
    return torch.zeros(1, 1, length, length)


def causal_lm(kind: str, dims: Dims, length: int, **extra: Any) -> tuple[nn.Module, Inputs]:
    """A decoder of transformers with the published dimensions."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(
        kind,
        vocab_size=dims["vocab_size"],
        hidden_size=dims["d_model"],
        intermediate_size=dims["d_ff"],
        num_hidden_layers=dims["n_layers"],
        num_attention_heads=dims["n_heads"],
        num_key_value_heads=dims["n_kv_heads"],
        head_dim=dims["head_dim"],
        max_position_embeddings=dims["max_pos"],
        tie_word_embeddings=dims["tied"],
        use_cache=False,
    )
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager", **extra)
    return model, {"input_ids": tokens(length), "attention_mask": unmasked(length)}


def gpt2(dims: Dims, length: int) -> tuple[nn.Module, Inputs]:
    """GPT-2: the library's defaults."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(n_embd=dims["d_model"], n_layer=dims["n_layers"], use_cache=False)
    model = GPT2LMHeadModel._from_config(config, attn_implementation="eager")
    return model, {"input_ids": tokens(length), "attention_mask": unmasked(length)}


def mamba(dims: Dims, length: int) -> tuple[nn.Module, Inputs]:
    """Mamba, on the path without fused kernels."""
    from transformers import MambaConfig, MambaForCausalLM

    config = MambaConfig(
        vocab_size=dims["vocab_size"],
        hidden_size=dims["d_model"],
        num_hidden_layers=dims["n_layers"],
        use_cache=False,
    )
    return MambaForCausalLM(config), {"input_ids": tokens(length)}


def t5(dims: Dims, length: int) -> tuple[nn.Module, Inputs]:
    """T5: source and target of the same length."""
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=dims["vocab_size"],
        d_model=dims["d_model"],
        d_kv=dims["head_dim"],
        d_ff=dims["d_ff"],
        num_layers=dims["n_layers"],
        num_heads=dims["n_heads"],
        use_cache=False,
    )
    inputs = {"input_ids": tokens(length), "decoder_input_ids": tokens(length)}
    model = T5ForConditionalGeneration._from_config(config, attn_implementation="eager")
    return model, inputs


def whisper(dims: Dims, length: int) -> tuple[nn.Module, Inputs]:
    """Whisper: thirty seconds of sound, and as many tokens as it can write."""
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    config = WhisperConfig(
        vocab_size=dims["vocab_size"],
        d_model=dims["d_model"],
        encoder_layers=dims["n_layers"],
        decoder_layers=dims["n_decoder_layers"],
        encoder_attention_heads=dims["n_heads"],
        decoder_attention_heads=dims["n_heads"],
        encoder_ffn_dim=dims["d_ff"],
        decoder_ffn_dim=dims["d_ff"],
        use_cache=False,
    )
    model = WhisperForConditionalGeneration._from_config(config, attn_implementation="eager")
    return model, {
        "input_features": torch.zeros(1, dims["n_mels"], 3000),
        "decoder_input_ids": tokens(length),
        "decoder_attention_mask": unmasked(length),
    }


def vit(dims: Dims, length: int) -> tuple[nn.Module, Inputs]:
    """ViT: the library's defaults, with the classes of ImageNet."""
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(num_labels=dims["num_classes"])
    model = ViTForImageClassification._from_config(config, attn_implementation="eager")
    return model, {"pixel_values": torch.zeros(1, 3, dims["image_size"], dims["image_size"])}


def resnet(dims: Dims, length: int) -> tuple[nn.Module, Inputs]:
    """ResNet of bottlenecks."""
    from transformers import ResNetConfig, ResNetForImageClassification

    config = ResNetConfig(
        hidden_sizes=dims["hidden_sizes"], depths=dims["depths"], num_labels=dims["num_classes"]
    )
    image = torch.zeros(1, 3, dims["image_size"], dims["image_size"])
    return ResNetForImageClassification(config), {"pixel_values": image}


def unet(dims: Dims, length: int) -> tuple[nn.Module, Inputs]:
    """The denoiser of Stable Diffusion 1.5: the library's defaults, told the prompt's width."""
    from diffusers import UNet2DConditionModel
    from diffusers.models.attention_processor import AttnProcessor

    side = dims["image_size"] // 8
    model = UNet2DConditionModel(sample_size=side, cross_attention_dim=dims["text_d_model"])
    model.set_attn_processor(AttnProcessor())
    return model, {
        "sample": torch.zeros(1, dims["latent_channels"], side, side),
        "timestep": torch.zeros(1),
        "encoder_hidden_states": torch.zeros(1, length, dims["text_d_model"]),
    }


@dataclass(frozen=True)
class Model:
    """A published model as a library builds it.

    Attributes:
        build: its module and its inputs, from its dimensions and its length.
        resident: whether tools that need storage get it (see `Tool.storage`): models with
            convolutions or biased linear layers, all of which fit into memory.
        decoder: whether it is a decoder-only transformer, which formulas are made for.
    """

    build: Callable[[Dims, int], tuple[nn.Module, Inputs]]
    resident: bool = False
    decoder: bool = False


def decoder(kind: str, **extra: Any) -> Model:
    """A decoder-only transformer of transformers."""
    return Model(lambda dims, length: causal_lm(kind, dims, length, **extra), decoder=True)


MODELS = {
    "GPT-2": Model(gpt2, resident=True, decoder=True),
    "Llama-2-7B": decoder("llama"),
    "Llama-3-8B": decoder("llama"),
    "Qwen3-0.6B": decoder("qwen3"),
    "Gemma-2B": decoder("gemma"),
    # Experts as batched products: grouped ones are invisible to counters, PyTorch's included.
    "Mixtral-8x7B": decoder("mixtral", experts_implementation="batched_mm"),
    "Mamba-130M": Model(mamba, resident=True),
    "T5-base": Model(t5),
    "Whisper-small": Model(whisper, resident=True),
    "ViT-B/16": Model(vit, resident=True),
    "ResNet-50": Model(resnet, resident=True),
    "SD1.5 U-Net": Model(unet, resident=True),
}


class Forward(nn.Module):
    """A model that takes tensors and returns one, as tracers want it."""

    def __init__(self, model: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.model = model
        self.names = names

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.model(**dict(zip(self.names, inputs, strict=True)), return_dict=False)[0]
