"""Hybrids of attention and state-space layers: blueprint and code agree, budgets are filled."""

import pytest

from metagen.specs.loader import parse
from metagen.synth.topologies import TOPOLOGIES

from .conftest import BASE, UNBOUND, blueprint
from .generated import import_package

torch = pytest.importorskip("torch")

from . import twins  # noqa: E402

SMALL = {"vocab_size": 320, "d_model": 48, "n_layers": 5, "n_heads": 4, "n_kv_heads": 2,
         "head_dim": 16, "d_ff": 80, "max_pos": 64}  # fmt: skip
VARIANTS = {
    "dense": {},
    "experts": {"moe": {"n_experts": 4, "top_k": 2, "expert_d_ff": 80, "n_moe_layers": 2},
                "dt_b_c_norms": True},
    "periods": {"attn_layer_period": 3, "attn_layer_offset": 1, "attn_layers": 2, "tied": False,
                "n_experts": 3, "top_k": 1, "expert_layer_period": 1, "expert_layer_offset": 0,
                "norm_topk": True},
    "biases": {"proj_bias": True, "conv_bias": False, "final_norm": False, "d_inner": 40},
}  # fmt: skip


def spec_of(dims=None, budget="1T", components=()):
    architecture = {"family": "hybrid", "dims": dims or {}}
    if components:
        architecture["components"] = [{"name": "Part", "type": t} for t in components]
    constraints = UNBOUND | {"parameter_budget": {"max": budget}, "context_window": "8k"}
    return parse(BASE | {"constraints": constraints, "architecture": architecture})


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def variant(request, tmp_path_factory):
    return import_package(spec_of(SMALL | VARIANTS[request.param]), tmp_path_factory.mktemp("code"))


def test_the_blueprint_is_the_state_dict(variant):
    package, release, _ = variant
    twins.check_state_dict(package, release)
    modules = release.blueprint["architecture"]["modules"]
    assert sum(m["params"] for m in modules) == release.figures["total_params"].value
    nodes = release.blueprint["graph"]["nodes"]
    assert sum(n["params"] for n in nodes) == release.figures["total_params"].value


@pytest.mark.parametrize("length", [1, 30])
def test_flops_are_those_that_pytorch_counts(variant, length):
    twins.check_flops_of_tokens(*variant[:2], length)


def test_the_generated_code_is_clean_and_complete(variant):
    twins.check_code(*variant)


def test_the_cache_has_the_size_that_the_blueprint_states(variant):
    package, release, _ = variant
    twin = TOPOLOGIES["hybrid_lm"].build(release.blueprint["architecture"]["dims"])
    with torch.device("meta"):
        cache = package.build_model(package.Config.full()).new_cache(1, 40)
    assert cache.nbytes == 4 * twin.state_elements(40)
    grows = 2 * (twin.state_elements(41) - twin.state_elements(40))
    assert release.figures["kv_bytes_per_token"].value == grows > 0


@pytest.mark.parametrize("experts", [0, 16])
@pytest.mark.parametrize("budget", [m * 10**e for e in range(5, 12) for m in (1, 1.7, 3, 5.5)])
def test_budget_is_filled_with_a_recognisable_shape(experts, budget):
    dims = twins.filled(
        TOPOLOGIES["hybrid_lm"], budget, {"max_pos": 8192, "n_experts": experts}
    ).dims
    assert dims["n_heads"] % dims["n_kv_heads"] == 0
    assert dims["attn_layers"] >= 1 and dims["mamba_layers"] >= 1
    assert 1.5 <= dims["d_ff"] / dims["d_model"] <= 8


def test_the_smallest_model_is_small():
    assert TOPOLOGIES["hybrid_lm"].minimum() < 100_000


def test_a_component_asks_for_experts():
    assert blueprint(spec_of(budget="50M")).design.dims["n_experts"] == 0
    mixed = blueprint(spec_of(budget="50M", components=("moe",))).design
    assert mixed.dims["n_experts"] == 16 and mixed.model.idle() > 0


@pytest.mark.parametrize(
    ("dims", "path", "words"),
    [
        ({"n_heads": 6, "n_kv_heads": 4}, "n_kv_heads", "does not divide"),
        ({"attn_layer_period": 4, "attn_layer_offset": 4}, "attn_layer_offset", "only 4 layers"),
        ({"n_experts": 2, "top_k": 3}, "top_k", "exceeds"),
        ({"n_layers": 16, "attn_layers": 3, "attn_layer_period": 8}, "attn_layers", "16 layers"),
        ({"n_layers": 16, "mamba_layers": 16}, "mamba_layers", "16 layers"),
        ({"n_layers": 16, "n_experts": 4, "n_moe_layers": 16}, "n_moe_layers", "16 layers"),
        ({"n_experts": 4, "expert_layer_offset": 2}, "expert_layer_offset", "outside"),
        ({"n_groups": 2}, "n_groups", "unknown dimension"),
    ],
)
def test_impossible_dims_are_refused_where_they_stand(dims, path, words):
    twins.check_refused(spec_of(dims), path, words)


PINS = [{"n_layers": 12}, {"d_model": 640}, {"d_inner": 1024}, {"n_heads": 20}, {"head_dim": 32},
        {"n_kv_heads": 3}, {"attn_layer_period": 4}, {"d_ff": 3000}, {"d_state": 256},
        {"n_experts": 8, "top_k": 1}, {"n_layers": 3, "d_model": 4096}]  # fmt: skip


@pytest.mark.parametrize("pins", PINS, ids=str)
def test_pins_are_kept_and_the_rest_is_solved(pins):
    twins.check_pins(spec_of, pins)
