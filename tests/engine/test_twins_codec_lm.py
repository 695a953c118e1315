"""Codec language models: blueprint and code agree, MusicGen is exact, budgets are filled."""

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagen.specs.errors import SpecError
from metagen.specs.loader import parse
from metagen.synth.estimates import state_bytes
from metagen.synth.parts.code_lm import CodeLM
from metagen.synth.solver import Frame
from metagen.synth.topologies import TOPOLOGIES
from metagen.synth.topologies.codec_lm import customary_ratios

from .conftest import BASE, UNBOUND, blueprint
from .generated import import_package

torch = pytest.importorskip("torch")

from . import twins  # noqa: E402

counted_on_cpu = partial(twins.counted_flops, device="cpu")
TOPOLOGY = TOPOLOGIES["codec_lm"]
SMALL = {"d_model": 32, "n_layers": 2, "n_heads": 4, "head_dim": 8, "d_ff": 48, "frames": 12,
         "sample_rate": 4000, "ratios": [4, 2], "num_filters": 4, "n_lstm_layers": 1,
         "codebook_dim": 8, "codebook_size": 16, "n_codebooks": 3, "vocab_size": 320,
         "text_d_model": 16, "text_n_layers": 1, "text_n_heads": 2, "text_d_ff": 32,
         "prompt_length": 10}  # fmt: skip
TEXT = ("vocab_size", "text_d_model", "text_n_layers", "text_n_heads", "text_d_ff",
        "prompt_length")  # fmt: skip
VARIANTS = {
    "text": (["text"], "generation", {}),
    "speech": (["text"], "text_to_speech", {"guidance_scale": 1.0}),
    "melody": (["text", "audio"], "generation", {"melody_stride": 5}),
    "continuation": (["audio"], "generation", {"codec_norm": "time_group_norm"}),
}
#: Copet et al., 2023, section 3.1: width, layers, heads; parameters of the library's decoder.
MUSICGEN = {
    "small": (1024, 24, 16, 419_584_000),
    "medium": (1536, 48, 24, 1_837_556_736),
    "large": (2048, 48, 32, 3_255_382_016),
}


def spec_of(inputs=("text",), task="generation", dims=None, budget="1T", objective=None, **more):
    constraints = UNBOUND | {"parameter_budget": {"max": budget}}
    sections = {
        "modality": {"inputs": list(inputs), "outputs": ["audio"]},
        "task": {"type": task} | more,
        "training": {"objective": objective or ["autoregressive"]},
        "constraints": constraints,
        "architecture": {"dims": dims or {}},
    }
    return parse(BASE | sections)


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def variant(request, tmp_path_factory):
    inputs, task, dims = VARIANTS[request.param]
    sizes = SMALL if "text" in inputs else {k: v for k, v in SMALL.items() if k not in TEXT}
    spec = spec_of(inputs, task, sizes | dims)
    return import_package(spec, tmp_path_factory.mktemp("code"))


def test_the_blueprint_is_the_state_dict(variant):
    package, release, _ = variant
    twins.check_state_dict(package, release)
    networks = release.blueprint["architecture"]["networks"]
    model = package.build_model(package.Config.tiny())
    assert list(networks) == [n for n, _ in model.named_children() if n in TOPOLOGY.children]


def test_flops_are_those_that_pytorch_counts(variant):
    package, release, _ = variant
    dims = release.blueprint["architecture"]["dims"]
    twin, steps = TOPOLOGY.build(dims), TOPOLOGY.length(dims)
    config = package.Config.full()
    model = package.build_model(config).eval()
    batch = package.synthetic_batch(config, 2, 0)
    codes = torch.zeros(2, dims["n_codebooks"], steps, dtype=torch.long)

    def work():
        model.scores(codes, batch)
        model.codec.decode(codes[:, :, : dims["frames"]])

    assert counted_on_cpu(work) == twin.flops(2, steps).counted
    drawn = TOPOLOGY.work(twin, dims).flops.counted
    assert drawn == twin.flops(1, steps).counted
    codec = counted_on_cpu(lambda: model.codec(batch["waveform"]))
    trained = TOPOLOGY.training_work(twin, dims).flops.counted
    assert 2 * (trained - drawn + twin.codec.flops(1, steps).counted) == codec


def test_the_generated_code_is_clean_and_complete(variant):
    twins.check_code(*variant)
    for name in ("model", "lm", "codec"):
        lines = (variant[2] / f"{name}.py").read_text(encoding="utf-8").splitlines()
        assert sum(bool(line.strip()) for line in lines) <= 350, name


def test_the_decode_state_is_what_a_cache_holds(variant):
    package, release, _ = variant
    dims = release.blueprint["architecture"]["dims"]
    twin, steps = TOPOLOGY.build(dims), TOPOLOGY.length(dims)
    with torch.device("meta"):
        model = package.build_model(package.Config.full())
        codes = torch.zeros(1, dims["n_codebooks"], steps, dtype=torch.long)
        cache = model.lm.new_cache(1, steps)
        if dims["conditioned"]:
            states = twin.lm.blocks.block.cross.memory
            model.lm(codes, torch.zeros(1, states, dims["d_model"]), cache)
    assert cache.nbytes == 2 * state_bytes(twin.lm, steps)  # fp32 here, bf16 there
    drawn = TOPOLOGY.state_bytes(twin, dims, steps)
    assert drawn == TOPOLOGY.passes_of(dims) * state_bytes(twin.lm, steps)


@pytest.mark.parametrize("name", MUSICGEN)
def test_musicgen_is_exact(name):
    width, layers, heads, params = MUSICGEN[name]
    pins = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads,
            "head_dim": 64, "ffn_dim": 4 * width}  # fmt: skip
    pins |= {"num_codebooks": 4, "codebook_size": 2048}
    lm = blueprint(spec_of(dims=pins)).design.model.children["lm"]
    assert lm.count() == params
    grows = state_bytes(lm, 2) - state_bytes(lm, 1)
    assert grows == 2 * 2 * layers * width
    if name == "small":  # the library counts 500 frames that attend to nothing but each other
        dims = TOPOLOGY.base(1e12, Frame()) | {
            "d_model": width, "n_layers": layers, "n_heads": heads, "head_dim": 64,
            "d_ff": 4 * width, "n_codebooks": 4, "codebook_size": 2048,
        }  # fmt: skip
        assert CodeLM(dims, 0).flops(1, 500).counted == 334_954_496_000


@settings(max_examples=60, deadline=None)
@given(st.floats(5, 12), st.sampled_from([{}, {"melodic": True}, {"conditioned": False}]))
def test_every_budget_is_filled(exponent, given_dims):
    twins.filled(TOPOLOGY, 10**exponent, given_dims)


def test_the_task_decides_the_sound():
    dims = blueprint(spec_of(sample_rate="16kHz", seconds=4)).design.dims
    assert (dims["sample_rate"], dims["frames"], dims["sound"]) == (16_000, 200, "music")
    dims = blueprint(spec_of(task="text_to_speech")).design.dims
    assert (dims["sound"], dims["melodic"], dims["conditioned"]) == ("speech", False, True)
    dims = blueprint(spec_of(inputs=["audio"], seconds=10**4)).design.dims
    assert (dims["conditioned"], dims["frames"]) == (False, 300 * 50)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000])
def test_ratios_leave_fifty_frames_a_second(rate):
    a, b, c, d = customary_ratios(rate)
    assert rate / (a * b * c * d) == pytest.approx(50, rel=0.02) and a >= b >= c >= d


@pytest.mark.parametrize(
    "pins",
    [{"d_model": 33}, {"audio_channels": 2}, {"conditioned": False, "melodic": True}],
    ids=str,
)
def test_dimensions_that_cannot_be_are_refused(pins):
    with pytest.raises(SpecError):
        blueprint(spec_of(dims=pins))


def test_guidance_doubles_the_language_model_and_nothing_else():
    plain, guided = (
        blueprint(spec_of(dims={"guidance_scale": scale}, budget="100M")).design
        for scale in (1.0, 3.0)
    )
    finished = [TOPOLOGY.finished(d.model, d.dims).flops.counted for d in (plain, guided)]
    decoder = plain.model.codec.flops(1, TOPOLOGY.length(plain.dims)).counted
    assert finished[1] - decoder == 2 * (finished[0] - decoder)
    assert guided.memory.state == 2 * plain.memory.state
