"""Models of series: blueprint and code agree, library counts are exact, budgets are filled."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagen.specs.errors import SpecError
from metagen.specs.loader import parse
from metagen.synth.solver import Frame, required_fill
from metagen.synth.topologies import TOPOLOGIES

from .conftest import BASE, UNBOUND, blueprint
from .generated import import_package

torch = pytest.importorskip("torch")

from . import twins  # noqa: E402

#: Outputs, objective and family of each topology.
MEANT = {
    "patch_forecaster": ("time_series", "regression", "transformer"),
    "state_space_forecaster": ("time_series", "regression", "mamba"),
    "series_detector": ("label", "reconstruction", "transformer"),
    "series_classifier": ("label", "classification", "transformer"),
}
SIZES = {"lookback": 45, "num_variables": 3, "patch_length": 8, "patch_stride": 5}
STACK = {"d_model": 24, "n_layers": 2, "n_heads": 2, "head_dim": 12, "d_ff": 40}
SMALL = SIZES | STACK
AHEAD = SMALL | {"horizon": 7}
SCAN = SIZES | {"horizon": 7, "d_model": 24, "n_layers": 2}
VARIANTS = {
    "forecaster": ("patch_forecaster", AHEAD),
    "forecaster, last patch": ("patch_forecaster", AHEAD | {"pool": "last"}),
    "forecaster of points": (
        "patch_forecaster",
        AHEAD | {"answer": "point", "pool": "mean", "norm": "batchnorm", "pos": "sincos"},
    ),
    "forecaster, norms last": (
        "patch_forecaster",
        AHEAD | {"pre_norm": False, "norm": "batchnorm", "pool": "flatten", "activation": "relu"},
    ),
    "forecaster, no final norm": ("patch_forecaster", AHEAD | {"final_norm": False}),
    "mamba": ("state_space_forecaster", SCAN | {"d_state": 4}),
    "mamba, flat": ("state_space_forecaster", SCAN | {"pool": "flatten", "answer": "point"}),
    "detector": ("series_detector", SMALL | {"patch_stride": 8}),
    "detector, odd rest": (
        "series_detector",
        SMALL | {"patch_length": 6, "patch_stride": 6, "pos": "sincos", "activation": "relu"},
    ),
    "classifier": ("series_classifier", SMALL | {"num_classes": 5}),
    "mamba 2": ("state_space_forecaster", SCAN | {"ssm": "mamba2", "d_state": 8, "n_heads": 4}),
}

#: What differs from the published configuration, parameters, trainable ones, and FLOPs, as
#: transformers counts them on the meta device.
LIBRARY = {
    "21 variables": (
        {"lookback": 336, "horizon": 192, "num_variables": 21}, 429_632, 424_384, 735_899_136,
    ),
    "321 variables": (
        {"horizon": 720, "num_variables": 321}, 500_560, 492_496, 18_002_953_728,
    ),
    "small": (
        {"lookback": 104, "patch_length": 24, "patch_stride": 2, "d_model": 16, "n_heads": 4,
         "head_dim": 4, "d_ff": 128, "horizon": 24}, 17_640, 16_984, 11_301_696,
    ),
    "flattened": (
        {"pool": "flatten", "norm": "layernorm", "pos": "learned", "horizon": 336},
        3_117_520, 3_117_520, 429_230_592,
    ),
}  # fmt: skip
PAPER = {
    "lookback": 512, "num_variables": 7, "patch_length": 16, "patch_stride": 8, "d_model": 128,
    "n_layers": 3, "n_heads": 16, "head_dim": 8, "d_ff": 256, "norm": "batchnorm",
    "final_norm": False, "pos": "sincos", "horizon": 96, "answer": "point", "pool": "mean",
}  # fmt: skip


def spec_of(topology, dims=None, budget="1T", **task):
    output, objective, family = MEANT[topology]
    sections = {
        "modality": {"inputs": ["time_series"], "outputs": [output]},
        "training": {"objective": [objective]},
        "constraints": UNBOUND | {"parameter_budget": {"max": budget}},
        "architecture": {"dims": dims or {}, "family": family},
        "task": task,
    }
    return parse(BASE | sections)


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def variant(request, tmp_path_factory):
    package = import_package(spec_of(*VARIANTS[request.param]), tmp_path_factory.mktemp("code"))
    return *package, VARIANTS[request.param][0]


def test_the_blueprint_is_the_state_dict(variant):
    assert variant[1].blueprint["architecture"]["topology"] == variant[3]
    twins.check_state_dict(*variant[:2])


def test_flops_are_those_that_pytorch_counts(variant):
    package, release, _, topology = variant
    dims = release.blueprint["architecture"]["dims"]
    twin = TOPOLOGIES[topology].build(dims)
    with torch.device("meta"):
        model = package.build_model(package.Config.full()).eval()
        values = torch.zeros(2, dims["lookback"], dims["num_variables"])
        known = torch.ones_like(values, dtype=torch.bool)
    rounds = 4 if topology == "series_detector" else 1
    counted = twins.counted_flops(lambda: model(values, known))
    assert counted == rounds * twin.flops(2, 1).counted
    if rounds > 1:
        assert TOPOLOGIES[topology].work(twin, dims).flops.counted * 2 == counted


def test_the_generated_code_is_clean_and_complete(variant):
    twins.check_code(*variant[:3], idle=("positions",))


@pytest.mark.parametrize("name", LIBRARY)
def test_counts_are_those_of_the_library(name):
    pins, params, trainable, flops = LIBRARY[name]
    plan = blueprint(spec_of("patch_forecaster", PAPER | pins))
    model = plan.design.model
    assert model.count() == params
    assert sum(t.numel for _, t in model.named_tensors() if t.trainable) == trainable
    assert model.flops(1, 1).counted == flops


@settings(max_examples=80, deadline=None)
@given(st.floats(5, 12), st.sampled_from(sorted(MEANT)), st.integers(2, 2000), st.integers(1, 100))
def test_every_budget_is_filled(exponent, topology, lookback, horizon):
    topology, budget = TOPOLOGIES[topology], 10**exponent
    given = {"lookback": lookback} | ({"horizon": horizon} if "horizon" in topology.table else {})
    best = topology.shapes(budget, Frame(given))[0]
    assert topology.build(best.dims).count() == best.params
    if budget > 4 * topology.least(given):
        assert required_fill(budget) * budget <= best.params <= budget
    assert 1 <= best.dims["patch_stride"] <= best.dims["patch_length"] <= lookback


@pytest.mark.parametrize(
    ("modality", "more", "topology"),
    [
        (("time_series", "time_series"), {}, "patch_forecaster"),
        (("time_series", "value"), {}, "patch_forecaster"),
        (("time_series", "time_series"), {"task": {"type": "forecasting"}}, "patch_forecaster"),
        (("brainwaves", "time_series"), {}, "patch_forecaster"),
        (("time_series", "label"), {}, "series_classifier"),
        (("time_series", "label"), {"task": {"type": "anomaly_detection"}}, "series_detector"),
        (("time_series", "value"), {"task": {"type": "anomaly_detection"}}, "series_detector"),
        (
            ("time_series", "time_series"),
            {"training": {"objective": ["reconstruction"]}},
            "series_detector",
        ),
        (
            ("time_series", "time_series"),
            {"architecture": {"family": "mamba"}},
            "state_space_forecaster",
        ),
    ],
    ids=str,
)
def test_routing(modality, more, topology):
    inputs, outputs = ([word] for word in modality)
    plan = blueprint(parse(BASE | {"modality": {"inputs": inputs, "outputs": outputs}} | more))
    assert plan.demands.topology.id == topology


def test_the_task_decides_the_sizes():
    task = {"lookback": 200, "horizon": 33, "num_variables": 5}
    dims = blueprint(spec_of("patch_forecaster", **task)).design.dims
    assert {name: dims[name] for name in task} == task
    modality = {"inputs": ["time_series"], "outputs": ["value"]}
    assert blueprint(parse(BASE | {"modality": modality})).design.dims["horizon"] == 1


def test_the_head_reads_every_patch_where_that_is_affordable():
    small = blueprint(spec_of("patch_forecaster", budget="1M")).design.dims
    large = blueprint(spec_of("patch_forecaster", budget="1B")).design.dims
    assert (small["pool"], large["pool"]) == ("last", "flatten")


@pytest.mark.parametrize(
    ("topology", "pins", "words"),
    [
        ("patch_forecaster", {"patch_length": 9, "lookback": 8}, "patch_length"),
        ("series_detector", {"patch_length": 9, "patch_stride": 8}, "overlap"),
        ("state_space_forecaster", {"ssm": "mamba", "n_heads": 4}, "mamba has no"),
    ],
    ids=str,
)
def test_dimensions_that_contradict_each_other_are_refused(topology, pins, words):
    with pytest.raises(SpecError, match=words):
        blueprint(spec_of(topology, pins))
