"""Memory and speed of the decoder language model: what follows from shapes, and rooflines.

Efficiencies are constants of this module, stated in every figure's method. They are rules of
thumb for well-written kernels; `make bench` in a generated repository prints predictions beside
measurements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .devices import Device
from .parts.base import Part

#: Bytes per weight of quantised matrices; the 4 bytes per group of 128 are a bf16 scale and zero.
WEIGHT_BYTES = {"bf16": 2.0, "int8": 1.0 + 4 / 128, "int4": 0.5 + 4 / 128}
ACTIVATION_BYTES = 2
PREFILL_CHUNK = 2048
PROMPT = 1024
SEQUENCE = 8192
WORKSPACE = 32 * 2**20

BANDWIDTH_EFFICIENCY = 0.65
PREFILL_EFFICIENCY = 0.50
TRAINING_MFU = 0.40


@dataclass(frozen=True)
class Memory:
    """Peak inference memory by part, in bytes."""

    weights: float
    state: float
    activations: float
    workspace: float

    @property
    def peak(self) -> float:
        """Everything that is resident at once."""
        return self.weights + self.state + self.activations + self.workspace


def weight_bytes(model: Part, precision: str) -> float:
    """Bytes of the weights; embeddings, norms and biases stay in bf16 when matrices shrink."""
    matrices = model.count(quantizable_only=True)
    return matrices * WEIGHT_BYTES[precision] + (model.count() - matrices) * WEIGHT_BYTES["bf16"]


def active_weight_bytes(model: Part, precision: str) -> float:
    """Bytes of the weights that one token passes through."""
    matrices, idle = model.idle(quantizable_only=True), model.idle()
    unread = matrices * WEIGHT_BYTES[precision] + (idle - matrices) * WEIGHT_BYTES["bf16"]
    return weight_bytes(model, precision) - unread


def state_bytes(model: Part, context: int) -> float:
    """Bytes of the key-value cache of one sequence in bf16: 2 · layers · kv_heads · head_dim."""
    return model.state_elements(context) * ACTIVATION_BYTES


def decoder_activation_bytes(dims: Mapping[str, Any], context: int) -> float:
    """Bytes of the largest set of live activations while a prompt is read in chunks.

    The residual stream and its normalised copy stand beside the widest sublayer: queries, keys,
    values and their output, or the MLP's hidden vectors. Logits exist for the last position only.
    A sliding window has a mask, and the keys and values that it covers for every query head.
    """
    chunk = min(context, PREFILL_CHUNK)
    window = min(context, dims["sliding_window"])
    masked = (chunk + window) * (2 * dims["n_heads"] * dims["head_dim"] + chunk) if window else 0
    attention = (2 * dims["n_heads"] + 2 * dims["n_kv_heads"]) * dims["head_dim"]
    hidden = (3 if dims["mlp"] == "gated" else 2) * dims["d_ff"]
    if dims.get("n_experts"):  # one expert at a time, beside what goes to all and comes back
        hidden += 2 * dims["top_k"] * dims["d_model"]
    per_token = 2 * dims["d_model"] + max(attention, hidden)
    return (chunk * per_token + masked + 2 * dims["vocab_size"]) * ACTIVATION_BYTES


def decode_rate(model: Part, precision: str, context: int, device: Device) -> float:
    """Tokens per second at batch 1: every weight in use and the state are read once per token.

    Roofline (Williams et al., 2009) on the bandwidth side, at `BANDWIDTH_EFFICIENCY` of peak.
    """
    moved = active_weight_bytes(model, precision) + state_bytes(model, context)
    return device.bandwidth * BANDWIDTH_EFFICIENCY / moved


def prefill_seconds(model: Part, precision: str, prompt: int, device: Device) -> float:
    """Seconds to read a prompt: the slower of arithmetic and one pass over the weights."""
    return pass_seconds(model.flops(1, prompt).causal, weight_bytes(model, precision), device)


def pass_seconds(flops: float, moved: float, device: Device) -> float:
    """Seconds of one forward pass: the slower of its arithmetic and of moving `moved` bytes."""
    arithmetic = flops / (device.peak * PREFILL_EFFICIENCY)
    return max(arithmetic, moved / (device.bandwidth * BANDWIDTH_EFFICIENCY))


def saved_activation_bytes(dims: Mapping[str, Any], tokens: int, *, checkpointing: bool) -> float:
    """Bytes that backward keeps of one micro-batch of `tokens` tokens in bf16.

    Per layer and token: the residual at both norms and their outputs, queries, keys, values and
    the attention output, and the MLP's hidden vectors (after Korthikanti et al., 2022, without
    dropout and with fused attention); with checkpointing only each block's input. The logits and
    their gradient are kept in fp32.
    """
    attention = (2 * dims["n_heads"] + 2 * dims["n_kv_heads"]) * dims["head_dim"]
    hidden = (3 if dims["mlp"] == "gated" else 2) * dims["d_ff"]
    if dims.get("n_experts"):
        hidden = dims["top_k"] * (hidden + 3 * dims["d_model"])
    layer = 4 * dims["d_model"] + attention + hidden
    kept = dims["n_layers"] * dims["d_model"] + layer if checkpointing else dims["n_layers"] * layer
    return tokens * (kept * ACTIVATION_BYTES + 2 * 4 * dims["vocab_size"])


def training_state_bytes(params: int) -> float:
    """Bytes of fp32 weights, fp32 gradients and AdamW's two fp32 moments."""
    return params * (4 + 4 + 4 + 4)
