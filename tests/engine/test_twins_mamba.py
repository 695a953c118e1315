"""State-space models: blueprint and code agree, published models are exact, budgets are filled."""

import pytest

from metagen.specs.loader import parse
from metagen.synth.topologies import TOPOLOGIES

from .conftest import BASE, UNBOUND, blueprint
from .generated import import_package

torch = pytest.importorskip("torch")

from . import twins  # noqa: E402

SMALL = {"vocab_size": 320, "d_model": 48, "n_layers": 2, "max_pos": 64}
VARIANTS = {
    "mamba": {},
    "odd sizes": {"d_inner": 80, "d_state": 7, "dt_rank": 5, "d_conv": 3, "tied": False},
    "biases and norms": {"proj_bias": True, "conv_bias": False, "dt_b_c_norms": True},
    "mamba2": {"ssm": "mamba2"},
    "mamba2, groups": {"n_heads": 6, "head_dim": 16, "n_groups": 3, "proj_bias": True},
    "mamba2, no norms": {"ssm": "mamba2", "gated_norm": False, "final_norm": False,
                         "conv_bias": False, "d_state": 24},
}  # fmt: skip

SIZES = {"370M": (1024, 48), "790M": (1536, 48), "1.4B": (2048, 48), "2.8B": (2560, 64)}


def spec_of(dims=None, budget="1T", components=()):
    architecture = {"family": "mamba", "dims": dims or {}}
    if components:
        architecture["components"] = [{"name": "Part", "type": t} for t in components]
    constraints = UNBOUND | {"parameter_budget": {"max": budget}, "context_window": "64k"}
    return parse(BASE | {"constraints": constraints, "architecture": architecture})


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def variant(request, tmp_path_factory):
    return import_package(spec_of(SMALL | VARIANTS[request.param]), tmp_path_factory.mktemp("code"))


def test_the_blueprint_is_the_state_dict(variant):
    twins.check_state_dict(*variant[:2])


@pytest.mark.parametrize("length", [1, 30, 150])
def test_flops_are_those_that_pytorch_counts(variant, length):
    twins.check_flops_of_tokens(*variant[:2], length)


def test_the_generated_code_is_clean_and_complete(variant):
    twins.check_code(*variant)


def test_the_cache_has_the_size_that_the_blueprint_states(variant):
    package, release, _ = variant
    twin = TOPOLOGIES["mamba_lm"].build(release.blueprint["architecture"]["dims"])
    with torch.device("meta"):
        cache = package.build_model(package.Config.full()).new_cache(1, 1000)
    assert cache.nbytes == 4 * twin.state_elements(1000) == 4 * twin.state_elements(1)
    assert "kv_bytes_per_token" not in release.figures


@pytest.mark.parametrize("size", SIZES)
def test_relatives_of_published_models_are_exact(size):
    """Counts written out by hand, tensor by tensor."""
    d, layers = SIZES[size]
    inner, rank = 2 * d, d // 16
    block = d + 3 * d * inner + inner * (16 + 1 + 4 + 1 + rank + 2 * 16 + rank + 1)
    dims = {"d_model": d, "n_layers": layers, "vocab_size": 50280, "tied": True}
    design = blueprint(spec_of(dims)).design
    assert design.model.count() == 50280 * d + layers * block + d
    assert design.dims["dt_rank"] == rank and design.dims["ssm"] == "mamba"


@pytest.mark.parametrize("ssm", ["mamba", "mamba2"])
@pytest.mark.parametrize("budget", [m * 10**e for e in range(5, 12) for m in (1, 1.7, 3, 5.5)])
def test_budget_is_filled_with_a_recognisable_shape(ssm, budget):
    dims = twins.filled(TOPOLOGIES["mamba_lm"], budget, {"max_pos": 8192, "mixer": ssm}).dims
    assert dims["d_inner"] == 2 * dims["d_model"]
    assert 6 <= dims["d_model"] / dims["n_layers"] <= 250
    if ssm == "mamba2":
        assert dims["n_heads"] * dims["head_dim"] == dims["d_inner"]


def test_the_smallest_model_is_small():
    assert TOPOLOGIES["mamba_lm"].minimum() < 100_000


def test_a_component_selects_the_mixer():
    assert blueprint(spec_of(budget="50M")).design.dims["ssm"] == "mamba"
    chosen = blueprint(spec_of(budget="50M", components=("ssd",))).design.dims
    assert chosen["ssm"] == "mamba2"
    pinned = blueprint(spec_of({"dt_rank": 8}, "50M", ("mamba2",))).design.dims
    assert pinned["ssm"] == "mamba"


def test_full_attention_is_reported_as_given_up():
    row = next(
        r for r in blueprint(spec_of(budget="50M")).constraints if r.constraint == "context_window"
    )
    assert row.satisfied and "state" in row.method and "full attention" in row.given_up


@pytest.mark.parametrize(
    ("dims", "path", "words"),
    [
        ({"ssm": "mamba", "n_heads": 4}, "ssm", "has no n_heads"),
        ({"ssm": "mamba2", "dt_rank": 4}, "dt_rank", "no rank"),
        ({"n_heads": 4, "dt_b_c_norms": True}, "dt_b_c_norms", "gated norm"),
        ({"n_heads": 4, "head_dim": 16, "d_inner": 80}, "d_inner", "is not n_heads"),
        ({"n_heads": 6, "d_inner": 80}, "d_inner", "no multiple of n_heads"),
        ({"n_heads": 6, "n_groups": 4}, "n_groups", "does not divide"),
        ({"n_kv_heads": 6}, "n_kv_heads", "unknown dimension"),
    ],
)
def test_impossible_dims_are_refused_where_they_stand(dims, path, words):
    twins.check_refused(spec_of(dims), path, words)


PINS = [{"n_layers": 12}, {"d_model": 640}, {"d_inner": 1024}, {"n_heads": 20}, {"head_dim": 32},
        {"n_groups": 4}, {"n_heads": 16, "head_dim": 32}, {"d_state": 256}, {"d_conv": 2},
        {"vocab_size": 100_000}, {"n_layers": 3, "d_model": 4096}]  # fmt: skip


@pytest.mark.parametrize("pins", PINS, ids=str)
def test_pins_are_kept_and_the_rest_is_solved(pins):
    twins.check_pins(spec_of, pins)
