"""Latent audio diffusion: blueprint and code agree, budgets are filled, the spec is honoured."""

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagen.specs.errors import SpecError
from metagen.specs.loader import parse
from metagen.synth.topologies import TOPOLOGIES
from metagen.synth.topologies.audio_diffusion import code_ratios, samples_of, seconds_of

from .conftest import BASE, UNBOUND, blueprint
from .generated import import_package

torch = pytest.importorskip("torch")

from . import twins  # noqa: E402

counted_on_cpu = partial(twins.counted_flops, device="cpu")
TOPOLOGY = TOPOLOGIES["audio_diffusion"]
SMALL = {"frames": 12, "sample_rate": 4000, "ratios": [4, 2], "num_filters": 4,
         "n_residual_layers": 1, "n_lstm_layers": 1, "codebook_dim": 8, "latent_channels": 6,
         "autoencoder_frames": 8, "time_features": 16, "d_model": 32, "n_layers": 2, "n_heads": 2,
         "d_ff": 48}  # fmt: skip
TEXT = {"vocab_size": 320, "text_d_model": 16, "text_n_layers": 1, "text_n_heads": 2,
        "text_d_ff": 32, "prompt_length": 10}  # fmt: skip
#: Inputs, task, objective and pinned dimensions.
VARIANTS = {
    "text": (["text"], "generation", "diffusion", TEXT),
    "speech": (["text"], "text_to_speech", "flow_matching", TEXT | {"guidance_scale": 1.0}),
    "continuation": (["audio"], "generation", "flow_matching", {"codec_norm": "time_group_norm"}),
    "text and opening": (["text", "audio"], "generation", "diffusion",
                         TEXT | {"causal_conv": True, "prediction": "noise"}),
}  # fmt: skip


def spec_of(
    inputs=("text",), task="generation", objective="diffusion", dims=None, budget="1T",
    limits=None, **more,
):  # fmt: skip
    sections = {
        "modality": {"inputs": list(inputs), "outputs": ["audio"]},
        "task": {"type": task} | more,
        "training": {"objective": [objective]},
        "constraints": UNBOUND | {"parameter_budget": {"max": budget}} | (limits or {}),
        "architecture": {"dims": dims or {}},
    }
    return parse(BASE | sections)


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def variant(request, tmp_path_factory):
    inputs, task, objective, dims = VARIANTS[request.param]
    spec = spec_of(inputs, task, objective, SMALL | dims)
    return import_package(spec, tmp_path_factory.mktemp("code"))


def test_the_blueprint_is_the_state_dict(variant):
    package, release, _ = variant
    twins.check_state_dict(package, release)
    assert release.blueprint["architecture"]["topology"] == "audio_diffusion"
    networks = release.blueprint["architecture"]["networks"]
    model = package.build_model(package.Config.tiny())
    assert list(networks) == [name for name, _ in model.named_children()]


def test_flops_are_those_that_pytorch_counts(variant):
    package, release, _ = variant
    dims = release.blueprint["architecture"]["dims"]
    twin, config = TOPOLOGY.build(dims), package.Config.full()
    model = package.build_model(config).eval()
    batch = package.synthetic_batch(config, 2, 0)
    told = model.conditions(batch, config.frames)
    step = counted_on_cpu(lambda: model.denoiser(batch["noise"], batch["quantiles"], **told))
    assert step == twin.flops(2, config.frames).counted
    lanes = 2 if dims["guidance_scale"] != 1 else 1
    assert TOPOLOGY.passes_of(dims) == lanes * dims["sampling_steps"]
    made = counted_on_cpu(lambda: model.conditions(batch, config.frames)) * lanes
    made += counted_on_cpu(lambda: model.decode(batch["noise"]))
    made += step * TOPOLOGY.passes_of(dims)
    assert made == 2 * TOPOLOGY.finished(twin, dims).flops.counted
    noise = batch.pop("posterior_noise")  # the spectra of the autoencoder's loss are not its work
    taught = batch["waveform"][..., : noise.size(1) * model.autoencoder.hop]
    trained = counted_on_cpu(lambda: model.loss(batch))
    trained += counted_on_cpu(lambda: (model.encode(taught), model.decode(noise)))
    assert trained == 2 * TOPOLOGY.training_work(twin, dims).flops.counted


def test_the_generated_code_is_clean_and_complete(variant):
    twins.check_code(*variant)
    for name in ("model", "denoiser", "autoencoder"):
        lines = (variant[2] / f"{name}.py").read_text(encoding="utf-8").splitlines()
        assert sum(bool(line.strip()) for line in lines) <= 350, name


@settings(max_examples=40, deadline=None)
@given(
    st.floats(5, 12),
    st.sampled_from([{}, {"continued": True}, {"conditioned": False, "continued": True}]),
)
def test_every_budget_is_filled(exponent, given_dims):
    twins.filled(TOPOLOGY, 10**exponent, given_dims)


def test_the_spec_decides_the_sound():
    dims = blueprint(spec_of(sample_rate="16kHz", seconds=4)).design.dims
    assert (dims["sample_rate"], dims["frames"], dims["sound"]) == (16_000, 100, "music")
    assert seconds_of(dims) == 4 and samples_of(dims) == 64_000
    assert (dims["prediction"], dims["sampling_steps"]) == ("v", 50)
    dims = blueprint(spec_of(task="text_to_speech", objective="flow_matching")).design.dims
    assert (dims["sound"], dims["prediction"], dims["continued"]) == ("speech", "flow", False)
    dims = blueprint(spec_of(inputs=["audio"], seconds=10**4)).design.dims
    assert (dims["conditioned"], dims["frames"]) == (False, 300 * 25)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000])
def test_ratios_leave_twenty_five_frames_a_second(rate):
    a, b, c, d = code_ratios(rate)
    assert rate / (a * b * c * d) == pytest.approx(25, rel=0.02) and a >= b >= c >= d


def test_time_costs_size():
    limits = {"device": "consumer_gpu"}
    free = blueprint(spec_of(budget="10B", limits=limits))
    bound = blueprint(spec_of(budget="10B", limits=limits | {"latency": "real-time"}))
    assert bound.design.model.count() <= free.design.model.count()
    assert bound.design.pace.speed >= 1 and bound.design.dims["sampling_steps"] == 4
    rows = {row.constraint: row for row in bound.constraints}
    assert rows["latency"].satisfied


@pytest.mark.parametrize(
    "pins",
    [{"d_model": 33}, {"audio_channels": 2}, {"n_heads": 3, "d_model": 64},
     {"frames": 8, "given_frames": 8}, {"frames": 8, "autoencoder_frames": 9}],
    ids=str,
)  # fmt: skip
def test_dimensions_that_cannot_be_are_refused(pins):
    with pytest.raises(SpecError):
        blueprint(spec_of(dims=pins))
