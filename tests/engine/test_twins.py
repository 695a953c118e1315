"""Parts and their PyTorch twins agree: names, shapes, order, ties, FLOPs; and the code is clean."""

import subprocess
import sys

import pytest

from .generated import import_package

torch = pytest.importorskip("torch")

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
    package, release, _ = variant
    with torch.device("meta"):
        model = package.build_model(package.Config.full())
    tensors = release.blueprint["state_dict"]["tensors"]
    state = model.state_dict()
    assert list(tensors) == list(state)
    assert {n: t["shape"] for n, t in tensors.items()} == {
        n: list(t.shape) for n, t in state.items()
    }
    parameters = dict(model.named_parameters())
    assert sum(p.numel() for p in parameters.values()) == release.figures["total_params"].value
    for name, tensor in tensors.items():
        owner = tensor["tied_to"]
        if owner:
            assert model.get_parameter(name) is parameters[owner]
        else:
            assert tensor["kind"] == "parameter" and parameters[name].requires_grad


def test_flops_are_those_that_pytorch_counts(variant):
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    package, release, _ = variant
    config = package.Config.full()
    with torch.device("meta"):
        model = package.build_model(config)
        tokens = torch.zeros(2, 32, dtype=torch.long)
    counter = FlopCounterMode(display=False)
    with counter, sdpa_kernel(SDPBackend.MATH):
        model(tokens)
    from metagen.synth.parts.decoder_lm import DecoderLM

    twin = DecoderLM(release.blueprint["architecture"]["dims"])
    assert counter.get_total_flops() == twin.flops(2, 32).counted


def test_the_generated_code_is_formatted_and_clean(variant):
    _, release, home = variant
    ruff = [sys.executable, "-m", "ruff"]
    style = ["--isolated", "--line-length", "100", "--target-version", "py311"]
    select = ["--select", "E,F,I,B,UP"]
    check = subprocess.run([*ruff, "check", *style, *select, home], capture_output=True, text=True)
    assert check.returncode == 0, check.stdout
    layout = subprocess.run(
        [*ruff, "format", "--diff", *style, home], capture_output=True, text=True
    )
    assert layout.returncode == 0, layout.stdout


def test_no_switch_is_left(variant):
    from metagen.synth.topologies import TOPOLOGIES

    _, release, _ = variant
    architecture = release.blueprint["architecture"]
    for name in TOPOLOGIES[architecture["topology"]].switches(architecture["dims"]):
        for file in release.code:
            assert f"config.{name} " not in file.text and f"config.{name}:" not in file.text


def test_both_presets_run_forward_and_backward(variant):
    package, *_ = variant
    config = package.Config.tiny()
    model = package.build_model(config)
    loss = model.loss(package.synthetic_batch(config, 2, 0))
    loss.backward()
    assert torch.isfinite(loss)
    missing = [n for n, p in model.named_parameters() if p.grad is None]
    assert not missing or missing == ["lm_head.bias"]
