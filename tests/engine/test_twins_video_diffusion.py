"""Generators of clips: blueprint and code agree, budgets are filled, constraints are honoured."""

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

TOPOLOGY = TOPOLOGIES["video_diffusion"]
SMALL = {"frames": 4, "image_size": 32, "channels": 2, "tubelet": 2, "patch_size": 2,
         "ae_channels": [8, 16], "ae_layers_per_block": 1, "ae_groups": 4, "latent_channels": 3,
         "text_d_model": 16, "text_n_layers": 1, "text_n_heads": 2, "text_d_ff": 32,
         "vocab_size": 320, "prompt_length": 12, "time_features": 16,
         "d_model": 32, "n_layers": 3, "n_heads": 2, "d_ff": 48}  # fmt: skip
#: Inputs, objective and pinned dimensions.
VARIANTS = {
    "text": (["text"], "diffusion", {}),
    "full attention": (["text"], "diffusion", {"clip_attention": "full", "prediction": "noise"}),
    "picture": (["image"], "flow_matching", {"tubelet": 1}),
    "text and picture": (["text", "image"], "diffusion", {"frames": 5, "tubelet": 1}),
    "clip": (["video"], "flow_matching", {"ae_channels": [8], "image_size": 16}),
}


def spec_of(inputs=("text",), objective="diffusion", dims=None, budget="1T", task=None, **limits):
    return parse(
        BASE
        | {
            "modality": {"inputs": list(inputs), "outputs": ["video"]},
            "constraints": UNBOUND | {"parameter_budget": {"max": budget}} | limits,
            "architecture": {"dims": dims or {}},
            "training": {"objective": [objective]},
            "task": task or {},
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
    package, release, _ = variant
    dims = release.blueprint["architecture"]["dims"]
    twin = TOPOLOGY.build(dims)
    with torch.device("meta"):
        model = package.build_model(package.Config.full())
        batch = package.synthetic_batch(package.Config.full(), 2, 0)
        batch = {name: tensor.to("meta") for name, tensor in batch.items()}
        codes, times = batch["noise"], batch["quantiles"]
        told = {}
        if dims["conditioned"]:
            told["given"] = codes.new_zeros(2, dims["frames"], codes.size(2) + 1, *codes.shape[3:])
        if dims["reads_text"]:
            told["tokens"] = batch["tokens"]
            told["states"] = model.read(batch["tokens"])
    step = twins.counted_flops(lambda: model.denoiser(codes, times, **told))
    assert step == twin.flops(2, 1).counted
    encoded = twins.counted_flops(lambda: model.encode(batch["video"]))
    assert encoded == twin.autoencoder.encode_flops(2 * dims["frames"]).counted
    decoded = twins.counted_flops(lambda: model.decode(codes))
    assert decoded == twin.autoencoder.decode_flops(2 * dims["frames"]).counted


def test_the_generated_code_is_clean_and_complete(variant):
    twins.check_code(*variant)


@settings(max_examples=40, deadline=None)
@given(st.floats(5, 12), st.sampled_from([(True, False), (True, True), (False, True)]))
def test_every_budget_is_filled(exponent, reads):
    budget = 10**exponent
    frame = Frame({"reads_text": reads[0], "conditioned": reads[1]})
    best = TOPOLOGY.shapes(budget, frame)[0]
    assert required_fill(budget) * budget <= best.params <= budget
    assert TOPOLOGY.build(best.dims).count() == best.params


def test_the_spec_decides_what_is_given():
    design = blueprint(spec_of(["video"], task={"frames": 12, "image_size": 96})).design
    assert (design.dims["given_frames"], design.dims["image_size"]) == (6, 96)
    assert not design.dims["reads_text"] and design.dims["conditioned"]
    assert design.dims["sampling_steps"] == 50
    flows = blueprint(spec_of(["text", "image"], "flow_matching")).design
    assert flows.dims["prediction"] == "flow" and flows.dims["given_frames"] == 1


def test_time_costs_size():
    task, limits = {"image_size": 512}, {"device": "consumer_gpu", "budget": "10B"}
    free = blueprint(spec_of(task=task, **limits))
    bound = blueprint(spec_of(task=task, latency="real-time", throughput="30fps", **limits))
    assert bound.design.model.count() < free.design.model.count() / 4
    assert bound.design.pace.rate >= 30 and bound.design.dims["sampling_steps"] == 4
    assert any(phrase.startswith("size") for phrase in bound.given_up)
    rows = {row.constraint: row for row in bound.constraints}
    assert rows["latency"].satisfied and rows["throughput"].satisfied


@pytest.mark.parametrize(
    "pins", [{"tubelet": 3, "frames": 8}, {"n_heads": 3, "d_model": 64}, {"d_model": 66}], ids=str
)
def test_dimensions_that_cannot_be_are_refused(pins):
    with pytest.raises(SpecError):
        blueprint(spec_of(dims=pins))
