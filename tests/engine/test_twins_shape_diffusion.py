"""Generators of shapes: blueprint and code agree, budgets are filled, constraints are honoured."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagen.specs.errors import SpecError
from metagen.specs.loader import parse
from metagen.synth.routing import route
from metagen.synth.topologies import TOPOLOGIES

from .conftest import BASE, UNBOUND, blueprint
from .generated import import_package

torch = pytest.importorskip("torch")

from . import twins  # noqa: E402

TOPOLOGY = TOPOLOGIES["shape_diffusion"]
SMALL = {"text_d_model": 16, "text_n_layers": 1, "text_n_heads": 2, "text_d_ff": 32,
         "vocab_size": 320, "prompt_length": 12, "time_features": 16, "grid_size": 8,
         "patch_size": 2, "d_model": 32, "n_layers": 3, "n_heads": 2, "d_ff": 48}  # fmt: skip
GRID = ("grid_size", "patch_size")
PICTURE = {"image_size": 16, "picture_patch": 4, "channels": 2}
#: Inputs, objective, task and pinned dimensions.
VARIANTS = {
    "text to mesh": (["text"], "diffusion", {}, {}),
    "picture to mesh": (["image"], "flow_matching", {}, PICTURE | {"patch_size": 4}),
    "text, picture and class": (["text", "image"], "diffusion", {"num_classes": 3}, PICTURE),
    "shapes alone": (["3d"], "diffusion", {}, {"prediction": "noise", "guidance_scale": 1.0}),
    "class to mesh": (["3d"], "flow_matching", {"num_classes": 5}, {}),
    "text to points": (["text"], "diffusion", {"num_points": 24}, {}),
    "points alone": (["3d"], "diffusion", {}, {"representation": "points", "num_points": 20}),
}


def spec_of(
    inputs=("text",), objective="diffusion", task=None, dims=None, budget="1T", parts=(), **limits
):
    return parse(
        BASE
        | {
            "modality": {"inputs": list(inputs), "outputs": ["3d"]},
            "constraints": UNBOUND | {"parameter_budget": {"max": budget}} | limits,
            "architecture": {"dims": dims or {}, "components": list(parts)},
            "training": {"objective": [objective]},
            "task": task or {},
        }
    )


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def variant(request, tmp_path_factory):
    inputs, objective, task, dims = VARIANTS[request.param]
    small = SMALL | dims
    if "num_points" in task | dims:
        small = {name: size for name, size in small.items() if name not in GRID}
    spec = spec_of(inputs, objective, task, small)
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
    told = model.told(batch, batch["dropped"]) if "dropped" in batch else {}
    step = twins.counted_flops(lambda: model.denoiser(batch["noise"], batch["quantiles"], **told))
    assert step == twin.flops(2, 1).counted
    if dims["reads_text"]:
        read = twins.counted_flops(lambda: model.text_encoder(batch["tokens"]))
        assert read == twin.read_flops(2).counted
    passes = TOPOLOGY.passes_of(dims)
    finished = release.figures["flops_per_sample"].value
    both = 2 if passes > dims["sampling_steps"] else 1
    assert finished == passes * step / 2 + both * twin.read_flops(1).counted


def test_the_generated_code_is_clean_and_complete(variant):
    twins.check_code(*variant)


@settings(max_examples=40, deadline=None)
@given(
    st.floats(5, 12),
    st.sampled_from([(True, False), (True, True), (False, True), (False, False)]),
    st.sampled_from(["grid", "points"]),
)
def test_every_budget_is_filled(exponent, reads, representation):
    budget = 10**exponent
    told = dict(zip(("reads_text", "reads_image"), reads, strict=True))
    twins.filled(TOPOLOGY, budget, told | {"representation": representation})


def test_the_spec_decides_what_a_shape_is():
    mesh = blueprint(spec_of()).design.dims
    assert (mesh["representation"], mesh["grid_size"], mesh["patch_size"]) == ("grid", 128, 8)
    assert blueprint(spec_of(budget="300M")).design.dims["grid_size"] == 64
    cloud = blueprint(spec_of(task={"num_points": 500})).design.dims
    assert (cloud["representation"], cloud["num_points"]) == ("points", 500)
    assert blueprint(spec_of(dims={"num_points": 64})).design.dims["representation"] == "points"
    named = spec_of(parts=[{"name": "cloud", "type": "point_cloud"}])
    assert blueprint(named).design.dims["num_points"] == 2048
    assert blueprint(spec_of(dims={"num_classes": 7})).design.dims["labelled"]
    pictures = blueprint(spec_of(["image"], task={"image_size": 96, "num_classes": 4})).design.dims
    assert not pictures["reads_text"] and pictures["labelled"]
    assert (pictures["image_size"], pictures["num_classes"]) == (96, 4)
    assert route(spec_of(["3d", "text"], "flow_matching"))[0].id == "shape_diffusion"


def test_time_costs_size():
    limits = {"device": "consumer_gpu", "budget": "10B"}
    free, bound = (blueprint(spec_of(latency=word, **limits)) for word in ("offline", "real-time"))
    assert bound.design.model.count() < free.design.model.count() / 4
    assert bound.design.pace.first <= 0.2 and bound.design.dims["sampling_steps"] == 4
    assert bound.design.dims["guidance_scale"] == 1 and free.design.dims["sampling_steps"] == 50
    assert any(phrase.startswith("size") for phrase in bound.given_up)


@pytest.mark.parametrize(
    "pins",
    [{"grid_size": 18, "patch_size": 4}, {"n_heads": 3, "d_model": 64}, {"d_model": 66},
     {"image_size": 30, "picture_patch": 4}, {"sampling_steps": 2000},
     {"num_points": 100, "grid_size": 16}],
    ids=str,
)  # fmt: skip
def test_dimensions_that_cannot_be_are_refused(pins):
    with pytest.raises(SpecError):
        blueprint(spec_of(dims=pins))
