"""Streams of frames and sound: blueprint and code agree, budgets are filled, limits honoured."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagen.specs.loader import examples, load_spec, parse
from metagen.synth.routing import route
from metagen.synth.topologies import TOPOLOGIES
from metagen.synth.topologies.avatar import ratios_of, sound_plan

from .conftest import BASE, UNBOUND, blueprint
from .generated import import_package

torch = pytest.importorskip("torch")

from . import twins  # noqa: E402

TOPOLOGY = TOPOLOGIES["avatar"]
SMALL = {"chunks": 3, "chunk_frames": 4, "fps": 20, "sample_rate": 2000, "image_size": 32,
         "channels": 2, "tubelet": 2, "patch_size": 2, "ae_channels": [8, 16], "ae_groups": 4,
         "ae_layers_per_block": 1, "latent_channels": 3, "sound_width": 4, "sound_channels": 5,
         "text_d_model": 16, "text_n_layers": 1, "text_n_heads": 2, "text_d_ff": 32,
         "vocab_size": 320, "prompt_length": 12, "time_features": 16,
         "d_model": 32, "n_layers": 2, "n_heads": 2, "d_ff": 48}  # fmt: skip
#: Inputs, objective and pinned dimensions.
VARIANTS = {
    "picture": (["text", "image"], "diffusion", {}),
    "text alone": (["text"], "flow_matching", {"tubelet": 1}),
    "short memory": (["image", "text"], "diffusion", {"history_chunks": 1, "prediction": "noise"}),
}


def spec_of(inputs=("text", "image"), objective="diffusion", dims=None, budget="1T", **limits):
    return parse(
        BASE
        | {
            "modality": {"inputs": list(inputs), "outputs": ["audio", "video"]},
            "constraints": UNBOUND | {"parameter_budget": {"max": budget}} | limits,
            "architecture": {"dims": dims or {}},
            "training": {"objective": [objective]},
        }
    )


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def variant(request, tmp_path_factory):
    inputs, objective, dims = VARIANTS[request.param]
    spec = spec_of(inputs, objective, SMALL | dims)
    return import_package(spec, tmp_path_factory.mktemp("code"))


def test_the_blueprint_is_the_state_dict(variant):
    twins.check_state_dict(*variant[:2])


def test_flops_are_those_that_pytorch_counts(variant):
    """A step behind a past, and both autoencoders on whole clips."""
    package, release, _ = variant
    dims = release.blueprint["architecture"]["dims"]
    twin, past = TOPOLOGY.build(dims), TOPOLOGY.length(dims)
    with torch.device("meta"):
        model = package.build_model(package.Config.full())
        batch = package.synthetic_batch(package.Config.full(), 2, 0)
        batch = {name: tensor.to("meta") for name, tensor in batch.items()}
        states = torch.zeros(2, dims["prompt_length"], dims["text_d_model"])
        size = (2, dims["n_heads"], past, dims["d_model"] // dims["n_heads"])
        kept = [(torch.zeros(size), torch.zeros(size))] * dims["n_layers"]
    noisy, times, tokens = batch["noise"][:, :1], batch["quantiles"][:, :1], batch["tokens"]
    step = twins.counted_flops(lambda: model.denoiser(noisy, times, states, tokens, kept))
    assert step == twin.flops(2, past).counted
    encoded = twins.counted_flops(lambda: model.encode(batch["video"], batch["sound"]))
    samples, frames = batch["sound"].size(1), 2 * dims["frames"]
    heard = twin.sound.encoder.flops(2, samples)
    assert encoded == (twin.autoencoder.encode_flops(frames) + heard).counted
    codes = torch.zeros(2, samples // dims["code_samples"], dims["sound_channels"], device="meta")
    decoded = twins.counted_flops(lambda: model.sound.decode(codes))
    assert decoded == twin.sound.decoder.flops(2, samples).counted


def test_the_generated_code_is_clean_and_complete(variant):
    twins.check_code(*variant)


@settings(max_examples=30, deadline=None)
@given(st.floats(5, 12), st.booleans())
def test_every_budget_is_filled(exponent, reads_image):
    twins.filled(TOPOLOGY, 10**exponent, {"reads_image": reads_image})


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000]), st.integers(1, 120)
)
def test_frames_and_sound_of_a_chunk_last_equally_long(rate, fps):
    plan = sound_plan(rate, fps)
    assert plan["chunk_codes"] * plan["code_samples"] * fps == plan["chunk_frames"] * rate
    product = 1
    for ratio in plan["sound_ratios"]:
        product *= ratio
    assert product == plan["code_samples"] and plan["sound_ratios"] == ratios_of(product)


def test_the_canonical_document_is_served_in_real_time():
    spec = load_spec(examples()["video_realtime_avatar"])
    topology, notes = route(spec)
    assert topology.id == "avatar" and not notes
    plan = blueprint(spec)
    assert not plan.design.violated
    assert plan.design.pace.rate >= 30 and plan.design.memory.peak <= 12e9
    assert 5e8 < plan.design.model.count() < 1e10
    assert plan.design.dims["max_pos"] == 2**20 and plan.design.dims["sampling_steps"] == 4
    given_up = " ".join(plan.given_up)
    assert "full attention" in given_up and "size" in given_up
    rows = {row.constraint: row for row in plan.constraints}
    assert "chunks" in rows["context_window"].method
    assert rows["context_window"].given_up and rows["throughput"].binding


def test_a_longer_past_costs_memory_and_time():
    few, many = (blueprint(spec_of(dims=SMALL | {"history_chunks": n})).design for n in (2, 200))
    assert many.memory.state == pytest.approx(few.memory.state * 201 / 3, rel=0.3)
    assert many.pace.rate <= few.pace.rate
