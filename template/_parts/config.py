"""Every switch and number a part may read: the stand-in for a generated `config.py`.

Generated code never sees this file. The specialiser replaces each switch by its literal, and
`from .config import Config` finds the generated package's own `Config`, which has the numbers only.
"""

from dataclasses import dataclass


@dataclass
class Config:
    """A small decoder-only transformer in the Llama style; override what a test needs."""

    # switches
    norm: str = "rmsnorm"
    norm_bias: bool = False
    norms_per_layer: int = 2
    final_norm: bool = True
    post_norm: bool = False
    embed_norm: bool = False
    qk_norm: str = "none"
    pos: str = "rope"
    rotary_pct: float = 1.0
    mlp: str = "gated"
    activation: str = "silu"
    attn_qkv_bias: bool = False
    attn_out_bias: bool = False
    mlp_bias: bool = False
    lm_head_bias: bool = False
    tied: bool = True
    parallel_block: bool = False
    embed_scale: bool = False
    windowed: bool = False

    # numbers
    vocab_size: int = 320
    d_model: int = 64
    n_layers: int = 2
    n_heads: int = 4
    n_kv_heads: int = 2
    head_dim: int = 16
    d_ff: int = 128
    context_length: int = 64
    pos_rows: int = 64
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-5
    sliding_window: int = 16
    init_std: float = 0.02
    seed: int = 42
