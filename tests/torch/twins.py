"""Published architectures as pairs: a `transformers` class and the switches that express it.

Each twin is a configuration of a library class at a tiny size, our dimensions for the same model,
and the translation of the library's state dict into ours. Tests copy random weights through the
translation and compare logits: equal counts say nothing about what a model computes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

State = dict[str, Tensor]

#: One size for all: heads are grouped where the architecture allows, and head_dim * n_heads is
#: not d_model where it may differ.
SIZE = dict(vocab_size=96, d_model=48, n_layers=2, n_heads=4, n_kv_heads=2, head_dim=12, d_ff=80)
CONTEXT = 64

LLAMA_NAMES = (
    (r"^model\.embed_tokens", "embed"),
    (r"^model\.norm", "norm"),
    (r"^model\.layers", "blocks"),
    (r"\.self_attn\.", ".attn."),
    (r"\.input_layernorm", ".attn_norm"),
    (r"\.post_attention_layernorm", ".mlp_norm"),
)

MOE_NAMES = (*LLAMA_NAMES, (r"\.mlp\.gate\.", ".mlp.router."))


@dataclass(frozen=True)
class Twin:
    """A library class beside our dimensions.

    Attributes:
        library: class name in `transformers`, without `ForCausalLM`.
        kwargs: its configuration, beyond what `common` says.
        dims: our dimensions and switches, beyond `SIZE`.
        names: regular expressions and replacements that turn library names into ours.
        translate: what to do to the library's tensors before renaming them.
        common: whether the configuration takes the usual names (`hidden_size` and so on).
    """

    library: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    dims: Mapping[str, Any] = field(default_factory=dict)
    names: tuple[tuple[str, str], ...] = LLAMA_NAMES
    translate: Callable[[State, Mapping[str, Any]], State] = lambda state, dims: state
    common: bool = True

    @property
    def sizes(self) -> dict[str, Any]:
        """Our dimensions and switches, complete."""
        return SIZE | {"context_length": CONTEXT, "rope_theta": 500.0, "tied": False} | self.dims

    @property
    def library_kwargs(self) -> dict[str, Any]:
        """The library's configuration, complete."""
        if not self.common:
            return dict(self.kwargs)
        sizes = self.sizes
        rope = {"rope_type": "default", "rope_theta": sizes["rope_theta"]}
        if sizes.get("rotary_pct", 1.0) < 1.0:
            rope["partial_rotary_factor"] = sizes["rotary_pct"]
        return {
            "vocab_size": sizes["vocab_size"],
            "hidden_size": sizes["d_model"],
            "num_hidden_layers": sizes["n_layers"],
            "num_attention_heads": sizes["n_heads"],
            "num_key_value_heads": sizes["n_kv_heads"],
            "head_dim": sizes["head_dim"],
            "intermediate_size": sizes["d_ff"],
            "max_position_embeddings": CONTEXT,
            "rope_parameters": rope,
            "tie_word_embeddings": sizes["tied"],
            "pad_token_id": None,
        } | dict(self.kwargs)

    def ours(self, theirs: State) -> State:
        """The library's state dict in our names."""
        state = {}
        for name, tensor in self.translate(dict(theirs), self.sizes).items():
            for pattern, replacement in self.names:
                name = re.sub(pattern, replacement, name)
            state[name] = tensor
        return state


def split_rows(state: State, fused: str, parts: Mapping[str, int]) -> State:
    """Cut every tensor whose name contains `fused` into named parts, by rows."""
    result = {}
    for name, tensor in state.items():
        if fused not in name:
            result[name] = tensor
            continue
        pieces = tensor.split(list(parts.values()))
        result |= {
            name.replace(fused, part): p.clone() for part, p in zip(parts, pieces, strict=True)
        }
    return result


def qkv_rows(dims: Mapping[str, Any]) -> dict[str, int]:
    """Rows of the query, key and value projections."""
    kv = dims["n_kv_heads"] * dims["head_dim"]
    return {"q_proj": dims["n_heads"] * dims["head_dim"], "k_proj": kv, "v_proj": kv}


def moe_tensors(state: State, dims: Mapping[str, Any]) -> State:
    """Experts are stacked, and their gate and up projections fused."""
    result = {}
    for name, tensor in state.items():
        if ".experts." not in name:
            result[name] = tensor
            continue
        home, _, projection = name.rpartition(".")
        for expert, weight in enumerate(tensor):
            parts = projection.removesuffix("_proj").split("_")  # gate_up, or down
            for part, piece in zip(parts, weight.chunk(len(parts)), strict=True):
                result[f"{home}.{expert}.{part}_proj.weight"] = piece.clone()
    return result


def gpt2_tensors(state: State, dims: Mapping[str, Any]) -> State:
    """`Conv1D` weights are (in, out), and queries, keys and values are fused."""
    conv = re.compile(r"(c_attn|c_proj|c_fc)\.weight$")
    state = {n: t.T.contiguous() if conv.search(n) else t for n, t in state.items()}
    return split_rows(state, "c_attn", qkv_rows(dims))


def bigcode_tensors(state: State, dims: Mapping[str, Any]) -> State:
    """Fused projections, in our order."""
    return split_rows(state, "c_attn", qkv_rows(dims))


def neox_tensors(state: State, dims: Mapping[str, Any]) -> State:
    """Queries, keys and values are fused head by head."""
    heads, width = dims["n_heads"], dims["head_dim"]
    for name in [n for n in state if "query_key_value" in n]:
        tensor = state[name]
        by_head = tensor.view(heads, 3, width, *tensor.shape[1:])
        state[name] = by_head.transpose(0, 1).reshape(tensor.shape)
    return split_rows(state, "query_key_value", qkv_rows(dims))


def falcon_tensors(state: State, dims: Mapping[str, Any]) -> State:
    """Fused projections, the single key and value heads last."""
    return split_rows(state, "query_key_value", qkv_rows(dims))


def phi3_tensors(state: State, dims: Mapping[str, Any]) -> State:
    """Fused attention projections, and a fused gate."""
    state = split_rows(state, "qkv_proj", qkv_rows(dims))
    rows = {"gate_proj": dims["d_ff"], "up_proj": dims["d_ff"]}
    return split_rows(state, "gate_up_proj", rows)


def gemma_tensors(state: State, dims: Mapping[str, Any]) -> State:
    """Norms multiply by one plus their weight."""
    return {n: t + 1 if "norm" in n else t for n, t in state.items()}


def opt_tensors(state: State, dims: Mapping[str, Any]) -> State:
    """Position i is row i + 2 of the table."""
    table = "model.decoder.embed_positions.weight"
    return state | {table: state[table][2:]}


LAYERNORM = {"norm": "layernorm", "norm_bias": True}
BIASED = {"attn_qkv_bias": True, "attn_out_bias": True, "mlp_bias": True}
UNGROUPED = {"n_kv_heads": SIZE["n_heads"]}
EPS6 = {"norm_eps": 1e-6}

GPT2 = Twin(
    "GPT2LMHeadModel",
    dict(n_embd=48, n_layer=2, n_head=4, n_inner=80, vocab_size=96, n_positions=CONTEXT),
    dict(pos="learned", pos_rows=CONTEXT, mlp="plain", activation="gelu_new", tied=True)
    | LAYERNORM | BIASED | UNGROUPED,
    (
        (r"^transformer\.wte", "embed"),
        (r"^transformer\.wpe", "pos_embed"),
        (r"^transformer\.ln_f", "norm"),
        (r"^transformer\.h", "blocks"),
        (r"\.ln_1", ".attn_norm"),
        (r"\.ln_2", ".mlp_norm"),
        (r"attn\.c_proj", "attn.o_proj"),
        (r"mlp\.c_fc", "mlp.up_proj"),
        (r"mlp\.c_proj", "mlp.down_proj"),
    ),
    gpt2_tensors,
    common=False,
)  # fmt: skip

OLMO2_NAMES = (
    (r"\.post_attention_layernorm", ".attn_norm"),
    (r"\.post_feedforward_layernorm", ".mlp_norm"),
    *LLAMA_NAMES,
)
GEMMA2_NAMES = (
    (r"\.post_attention_layernorm", ".attn_post_norm"),
    (r"\.pre_feedforward_layernorm", ".mlp_norm"),
    (r"\.post_feedforward_layernorm", ".mlp_post_norm"),
    *LLAMA_NAMES,
)
NEOX_NAMES = (
    (r"^gpt_neox\.embed_in", "embed"),
    (r"^gpt_neox\.final_layer_norm", "norm"),
    (r"^gpt_neox\.layers", "blocks"),
    (r"^embed_out", "lm_head"),
    (r"\.input_layernorm", ".attn_norm"),
    (r"\.post_attention_layernorm", ".mlp_norm"),
    (r"\.attention\.dense", ".attn.o_proj"),
    (r"\.attention\.", ".attn."),
    (r"dense_h_to_4h", "up_proj"),
    (r"dense_4h_to_h", "down_proj"),
)
PHI_NAMES = (
    (r"^model\.final_layernorm", "norm"),
    (r"\.self_attn\.dense", ".attn.o_proj"),
    (r"\.fc1", ".up_proj"),
    (r"\.fc2", ".down_proj"),
    *LLAMA_NAMES,
)
STARCODER_NAMES = ((r"c_fc", "up_proj"), (r"c_proj", "down_proj"), *LLAMA_NAMES)
FALCON_NAMES = (
    (r"^transformer\.word_embeddings", "embed"),
    (r"^transformer\.ln_f", "norm"),
    (r"^transformer\.h", "blocks"),
    (r"\.input_layernorm", ".attn_norm"),
    (r"\.self_attention\.dense", ".attn.o_proj"),
    (r"\.self_attention\.", ".attn."),
    (r"dense_h_to_4h", "up_proj"),
    (r"dense_4h_to_h", "down_proj"),
)
OPT_NAMES = (
    (r"^model\.decoder\.embed_tokens", "embed"),
    (r"^model\.decoder\.embed_positions", "pos_embed"),
    (r"^model\.decoder\.final_layer_norm", "norm"),
    (r"^model\.decoder\.layers", "blocks"),
    (r"\.self_attn_layer_norm", ".attn_norm"),
    (r"\.final_layer_norm", ".mlp_norm"),
    (r"\.self_attn\.out_proj", ".attn.o_proj"),
    (r"\.self_attn\.", ".attn."),
    (r"\.fc1", ".mlp.up_proj"),
    (r"\.fc2", ".mlp.down_proj"),
)

#: The architectures whose published counts are test vectors (shared/reference).
PUBLISHED = {
    "GPT-2": GPT2,
    "Llama-2": Twin("Llama", dict(rms_norm_eps=1e-5), UNGROUPED),
    "Llama-3": Twin("Llama", dict(rms_norm_eps=1e-5)),
    "Llama-3.2": Twin("Llama", dict(rms_norm_eps=1e-5), dict(tied=True)),
    "Mistral": Twin(
        "Mistral", dict(rms_norm_eps=1e-5, sliding_window=7), dict(sliding_window=7)
    ),
    "Qwen2.5": Twin("Qwen2", {}, dict(attn_qkv_bias=True, tied=True) | EPS6),
    "Qwen3": Twin("Qwen3", {}, dict(qk_norm="per_head", head_dim=16, tied=True) | EPS6),
    "SmolLM2": Twin("Llama", dict(rms_norm_eps=1e-5), dict(n_heads=6, head_dim=8, tied=True)),
    "Pythia": Twin(
        "GPTNeoX",
        dict(hidden_act="gelu", use_parallel_residual=True, layer_norm_eps=1e-5),
        dict(mlp="plain", activation="gelu", parallel_block=True, rotary_pct=0.25,
             n_heads=3, n_kv_heads=3, head_dim=16) | LAYERNORM | BIASED,
        NEOX_NAMES,
        neox_tensors,
    ),
    "Phi-3": Twin("Phi3", dict(rms_norm_eps=1e-5, sliding_window=None), UNGROUPED,
                  translate=phi3_tensors),
    "Gemma": Twin(
        "Gemma",
        dict(hidden_activation="gelu_pytorch_tanh"),
        dict(n_kv_heads=1, head_dim=16, activation="gelu_tanh", embed_scale=True, tied=True) | EPS6,
        translate=gemma_tensors,
    ),
    "Mixtral": Twin(
        "Mixtral",
        dict(num_local_experts=4, num_experts_per_tok=2, rms_norm_eps=1e-5, sliding_window=None),
        dict(moe=True, n_experts=4, experts_per_token=2),
        MOE_NAMES,
        moe_tensors,
    ),
    "OLMoE": Twin(
        "Olmoe",
        dict(num_experts=6, num_experts_per_tok=3, norm_topk_prob=False, rms_norm_eps=1e-5),
        dict(moe=True, n_experts=6, experts_per_token=3, norm_topk=False, qk_norm="full"),
        MOE_NAMES,
        moe_tensors,
    ),
    "OLMo-2": Twin(
        "Olmo2", dict(rms_norm_eps=1e-6), dict(qk_norm="full", post_norm=True) | EPS6, OLMO2_NAMES
    ),
}  # fmt: skip

#: Relatives that nobody tuned the parts for.
RELATIVES = {
    "Phi-2": Twin(
        "Phi",
        dict(hidden_act="gelu_new", layer_norm_eps=1e-5),
        dict(mlp="plain", activation="gelu_new", parallel_block=True, norms_per_layer=1,
             rotary_pct=0.5, lm_head_bias=True) | LAYERNORM | BIASED,
        PHI_NAMES,
    ),
    "StarCoder2": Twin(
        "Starcoder2",
        dict(hidden_act="gelu_pytorch_tanh", norm_epsilon=1e-5, sliding_window=9),
        dict(mlp="plain", activation="gelu_tanh", sliding_window=9, tied=True)
        | LAYERNORM | BIASED,
        STARCODER_NAMES,
    ),
    "StableLM-2": Twin(
        "StableLm",
        dict(layer_norm_eps=1e-5, use_qkv_bias=True),
        dict(rotary_pct=0.5, attn_qkv_bias=True) | LAYERNORM,
    ),
    "Gemma-2": Twin(
        "Gemma2",
        dict(hidden_activation="gelu_pytorch_tanh", attn_logit_softcapping=None,
             final_logit_softcapping=None, query_pre_attn_scalar=12,
             layer_types=["full_attention"] * 2),
        dict(activation="gelu_tanh", embed_scale=True, norms_per_layer=4, tied=True) | EPS6,
        GEMMA2_NAMES,
        gemma_tensors,
    ),
    "OPT": Twin(
        "OPT",
        dict(vocab_size=96, hidden_size=48, num_hidden_layers=2, num_attention_heads=4,
             ffn_dim=80, max_position_embeddings=CONTEXT, word_embed_proj_dim=48, dropout=0.0),
        dict(pos="learned", pos_rows=CONTEXT, mlp="plain", activation="relu", tied=True)
        | LAYERNORM | BIASED | UNGROUPED,
        OPT_NAMES,
        opt_tensors,
        common=False,
    ),
    "StarCoder": Twin(
        "GPTBigCode",
        dict(n_embd=48, n_layer=2, n_head=4, n_inner=80, vocab_size=96, n_positions=CONTEXT,
             activation_function="gelu_pytorch_tanh", multi_query=True),
        dict(pos="learned", pos_rows=CONTEXT, mlp="plain", activation="gelu_tanh", tied=True,
             n_kv_heads=1) | LAYERNORM | BIASED,
        GPT2.names,
        bigcode_tensors,
        common=False,
    ),
    "Falcon": Twin(
        "Falcon",
        dict(vocab_size=96, hidden_size=48, num_hidden_layers=2, num_attention_heads=4,
             ffn_hidden_size=80, multi_query=True, parallel_attn=True, bias=False, alibi=False,
             new_decoder_architecture=False, layer_norm_epsilon=1e-5,
             rope_parameters={"rope_type": "default", "rope_theta": 500.0}),
        dict(mlp="plain", activation="gelu", parallel_block=True, norms_per_layer=1, n_kv_heads=1,
             tied=True) | LAYERNORM,
        FALCON_NAMES,
        falcon_tensors,
        common=False,
    ),
}  # fmt: skip

TWINS = PUBLISHED | RELATIVES
