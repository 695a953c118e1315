"""Audio codecs: blueprint and code agree, published models are exact, budgets are filled."""

from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagen.specs.errors import SpecError
from metagen.specs.loader import parse
from metagen.synth.routing import route
from metagen.synth.topologies import TOPOLOGIES
from metagen.synth.topologies.audio_codec import bits_per_second

from .conftest import BASE, UNBOUND, blueprint
from .generated import import_package

torch = pytest.importorskip("torch")

from . import twins  # noqa: E402

TOPOLOGY = TOPOLOGIES["audio_codec"]
MODALITY = {"inputs": ["audio"], "outputs": ["audio"]}
SMALL = {"sample_rate": 800, "num_filters": 4, "ratios": [5, 2], "n_residual_layers": 2,
         "n_lstm_layers": 1, "codebook_dim": 6, "codebook_size": 16, "n_codebooks": 3,
         "clip_samples": 203}  # fmt: skip
VARIANTS = {
    "as published": {},
    "group norm": {"codec_norm": "time_group_norm", "causal_conv": False, "audio_channels": 2},
    "plain shortcuts": {"conv_shortcut": False, "pad_mode": "constant", "compress": 4},
    "other kernels": {"kernel": 3, "last_kernel": 5, "residual_kernel": 1, "ratios": [3, 1, 2]},
}
#: Défossez et al., 2022, and the codec of Copet et al., 2023: what the library's class has.
PUBLISHED = {
    "24 kHz": ({"num_filters": 32, "codebook_dim": 128}, 14_851_810),
    "48 kHz": (
        {"num_filters": 32, "codebook_dim": 128, "audio_channels": 2, "sample_rate": 48_000,
         "codec_norm": "time_group_norm", "causal_conv": False}, 14_856_294,
    ),
    "32 kHz": (
        {"num_filters": 64, "codebook_dim": 128, "ratios": [8, 5, 4, 4], "causal_conv": False,
         "conv_shortcut": False, "sample_rate": 32_000, "codebook_size": 2048}, 56_884_674,
    ),
}  # fmt: skip


def spec_of(dims=None, budget="1T", **task):
    constraints = UNBOUND | {"parameter_budget": {"max": budget}}
    sections = {
        "constraints": constraints,
        "architecture": {"dims": dims or {}},
        "task": task,
        "training": {"objective": ["reconstruction"]},
    }
    return parse(BASE | {"modality": MODALITY} | sections)


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def variant(request, tmp_path_factory):
    return import_package(spec_of(SMALL | VARIANTS[request.param]), tmp_path_factory.mktemp("code"))


def test_the_blueprint_is_the_state_dict(variant):
    twins.check_state_dict(*variant[:2])


def test_flops_are_those_that_pytorch_counts(variant):
    """On the CPU: on the meta device a recurrent network is taken apart, and counted."""
    from torch.utils.flop_counter import FlopCounterMode

    package, release, _ = variant
    dims = release.blueprint["architecture"]["dims"]
    model = package.build_model(package.Config.full()).eval()
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        restored, _ = model(torch.zeros(2, dims["audio_channels"], dims["clip_samples"]))
    assert restored.shape == (2, dims["audio_channels"], dims["clip_samples"])
    twin, length = TOPOLOGY.build(dims), TOPOLOGY.length(dims)
    assert counter.get_total_flops() == twin.flops(2, length).counted
    assert twin.flops(2, length) == twin.flops(1, length) * 2


def test_recurrent_work_is_stated_beside_what_is_counted():
    twin = TOPOLOGY.build(blueprint(spec_of(SMALL)).design.dims)
    width, frames = 4 * 2**2, -(-203 // 10)
    assert twin.flops(1, 203).uncounted == 2 * frames * 2 * 8 * width**2


def test_the_generated_code_is_clean_and_complete(variant):
    twins.check_code(*variant)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_models_are_exact(name):
    pins, params = PUBLISHED[name]
    plan = blueprint(spec_of(pins | {"n_residual_layers": 1, "n_lstm_layers": 2}))
    assert plan.design.model.count() == params


@settings(max_examples=25, deadline=None)
@given(st.floats(5, 12), st.sampled_from((1, 2)))
def test_every_budget_is_filled(exponent, channels):
    twins.filled(TOPOLOGY, 10**exponent, {"audio_channels": channels})


def test_the_published_shape_is_found_for_its_budget():
    dims = blueprint(spec_of(budget="14.86M")).design.dims
    assert (dims["num_filters"], dims["n_lstm_layers"], dims["codebook_dim"]) == (32, 2, 128)


def test_the_task_decides_the_sound():
    dims = blueprint(spec_of(channels=2, sample_rate="48kHz", seconds=3)).design.dims
    assert dims["sample_rate"] == 48_000 and dims["audio_channels"] == 2
    assert dims["clip_samples"] == 3 * 48_000
    assert blueprint(spec_of(seconds=86_400)).design.dims["clip_samples"] == 30 * 24_000


def test_bits_follow_from_frames_and_codebooks():
    dims = blueprint(spec_of()).design.dims
    assert bits_per_second(dims) == 24_000 / prod(dims["ratios"]) * 8 * 10 == 6000


def test_a_block_has_a_middle():
    with pytest.raises(SpecError, match="cannot be compressed"):
        blueprint(spec_of({"num_filters": 1}))


def test_the_shortest_clip_trains(tmp_path):
    package, _, _ = import_package(spec_of(SMALL | {"clip_samples": 32}), tmp_path)
    twins.check_training_pass(package)


def test_reconstruction_of_sound_is_convolutional_unless_stated():
    spec = spec_of()
    assert spec.architecture.family == "cnn"
    topology, notes = route(spec)
    assert topology.id == "audio_codec" and notes == ()


def test_real_time_is_the_pace_of_the_sound():
    constraints = {"latency": "real-time", "device": "edge", "parameter_budget": {"max": "1T"}}
    constraints["memory_budget"] = "∞"
    training = {"objective": ["reconstruction"]}
    spec = parse(BASE | {"modality": MODALITY, "constraints": constraints, "training": training})
    plan = blueprint(spec)
    assert 1 <= plan.design.pace.speed < 1.5
    assert any(row.constraint == "latency" and row.binding for row in plan.constraints)
    assert any(phrase.startswith("size") for phrase in plan.given_up)
