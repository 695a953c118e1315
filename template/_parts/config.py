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
    moe: bool = False
    norm_topk: bool = True
    ssm: str = "mamba"
    conv_bias: bool = True
    proj_bias: bool = False
    gated_norm: bool = True
    dt_b_c_norms: bool = False
    hybrid: bool = False
    distilled: bool = True
    pool: str = "class_token"
    patched: bool = True
    block: str = "basic"
    tower_activation: str = "quick_gelu"
    text_causal: bool = True
    class_token: bool = True
    patch_bias: bool = False
    pre_norm: bool = True
    spare_layers: int = 0
    loss: str = "softmax"
    image_pool: str = "class"
    image_proj: bool = True
    text_proj_bias: bool = False
    attn_bias: bool = False
    norm_order: str = "pre"
    first_norm: bool = False
    typed: bool = False
    pooling: str = "first"
    pooler: str = "none"
    pooler_bias: bool = False
    head: str = "embedding"
    projected: bool = False
    source: str = "text"
    pos_offset: int = 0
    attn_bias: bool = False
    key_bias: bool = False
    attn_scale: bool = True
    head_scale: bool = False
    logits_bias: bool = False
    masks: bool = False
    reads_text: bool = True
    reads_image: bool = True
    reads_audio: bool = False
    several_inputs: bool = True
    gives_label: bool = True
    gives_value: bool = False
    gives_embedding: bool = False

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
    n_experts: int = 0
    experts_per_token: int = 2
    balance_weight: float = 0.01
    image_size: int = 64
    channels: int = 3
    num_classes: int = 6
    hidden_sizes: tuple[int, ...] = (16, 32, 80, 128)
    depths: tuple[int, ...] = (1, 1, 1, 1)
    stage_heads: tuple[int, ...] = (1, 2, 5, 8)
    sr_ratios: tuple[int, ...] = (8, 4, 2, 1)
    mlp_ratios: tuple[int, ...] = (4, 4, 4, 4)
    patch_sizes: tuple[int, ...] = (7, 3, 3, 3)
    strides: tuple[int, ...] = (4, 2, 2, 2)
    decoder_dim: int = 64
    attn_layer_period: int = 4
    attn_layer_offset: int = 2
    expert_layer_period: int = 2
    expert_layer_offset: int = 1
    d_inner: int = 128
    d_state: int = 8
    d_conv: int = 4
    dt_rank: int = 4
    n_groups: int = 1
    sample_rate: int = 8000
    n_frames: int = 64
    n_mels: int = 32
    patch_size: int = 8
    audio_patch: int = 8
    freq_stride: int = 6
    time_stride: int = 6
    text_d_model: int = 32
    text_n_layers: int = 2
    text_n_heads: int = 4
    text_d_ff: int = 64
    vision_d_model: int = 48
    vision_n_layers: int = 2
    vision_n_heads: int = 4
    vision_d_ff: int = 96
    embed_dim: int = 24
    tower_norm_eps: float = 1e-5
    local_rope_theta: float = 500.0
    global_every: int = 3
    type_vocab_size: int = 2
    pos_offset: int = 0
    embedding_dim: int = 24
    temperature: float = 0.05
    n_decoder_layers: int = 2
    rel_buckets: int = 32
    rel_max_distance: int = 128
    audio_positions: int = 50
    stem_dim: int = 16
    encoder_layers: int = 1
    decoder_layers: int = 2
    num_queries: int = 12
    no_object_weight: float = 0.1
    frames: int = 8
    tubelet: int = 2
    reduction: int = 4
    kernel_size: int = 7
    mlp_ratio: int = 4
    init_std: float = 0.02
    seed: int = 42
