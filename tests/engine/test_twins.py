"""Parts and their PyTorch twins agree: names, shapes, order, ties, FLOPs; and the code is clean."""

import pytest

from .generated import import_package

pytest.importorskip("torch")

from . import twins  # noqa: E402

SMALL = {"vocab_size": 320, "d_model": 48, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2,
         "head_dim": 16, "d_ff": 80, "max_pos": 64}  # fmt: skip

VARIANTS = {
    "plain": {},
    "gpt2": {"norm": "layernorm", "norm_bias": True, "mlp": "plain", "activation": "gelu_new",
             "pos": "learned", "attn_qkv_bias": True, "attn_out_bias": True, "mlp_bias": True,
             "n_kv_heads": 4},
    "learned rows": {"pos": "learned", "pos_rows": 66},
    "untied with bias": {"tied": False, "lm_head_bias": True},
    "tied with bias": {"lm_head_bias": True, "tied": True},
    "neox": {"parallel_block": True, "norm": "layernorm", "norm_bias": True, "rotary_pct": 0.25,
             "mlp": "plain", "activation": "gelu", "attn_qkv_bias": True, "tied": False},
    "phi": {"parallel_block": True, "norms_per_layer": 1, "rotary_pct": 0.5, "norm": "layernorm",
            "norm_bias": True, "mlp": "plain", "activation": "gelu_tanh"},
    "qk per head": {"qk_norm": "per_head"},
    "qk full, post norm": {"qk_norm": "full", "post_norm": True},
    "qk layernorm": {"qk_norm": "per_head", "norm": "layernorm", "norm_bias": False},
    "four norms": {"norms_per_layer": 4, "embed_scale": True, "activation": "gelu_tanh"},
    "window": {"sliding_window": 16},
    "window, learned": {"sliding_window": 16, "pos": "learned"},
    "no positions": {"pos": "none"},
    "embedding norm": {"embed_norm": True, "final_norm": False, "activation": "relu"},
    "experts": {"moe": {"n_experts": 8, "top_k": 2, "expert_d_ff": 80, "n_moe_layers": 2}},
    "experts, not renormalised": {"n_experts": 5, "top_k": 3, "norm_topk": False, "mlp": "plain",
                                  "mlp_bias": True, "sliding_window": 16},
    "one kv head": {"n_kv_heads": 1, "n_heads": 6},
}  # fmt: skip


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def variant(request, tmp_path_factory):
    from metagen.specs.loader import parse

    dims = SMALL | VARIANTS[request.param]
    spec = parse(
        {
            "metagen_version": "1.0",
            "name": "probe",
            "modality": {"inputs": ["text"], "outputs": ["text"]},
            "constraints": {"latency": "offline", "memory_budget": "∞"},
            "architecture": {"dims": dims},
        }
    )
    return import_package(spec, tmp_path_factory.mktemp("code"))


def test_the_blueprint_is_the_state_dict(variant):
    twins.check_state_dict(*variant[:2])


def test_flops_are_those_that_pytorch_counts(variant):
    twins.check_flops_of_tokens(*variant[:2], 32)


def test_the_generated_code_is_clean_and_complete(variant):
    twins.check_code(*variant, idle=("lm_head.bias",))
