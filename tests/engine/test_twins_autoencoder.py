"""The autoencoder of pictures: blueprint and code agree, budgets are filled, siblings are exact."""

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

SMALL = {"image_size": 48, "ae_channels": [12, 24, 16], "ae_layers_per_block": 1, "ae_groups": 4}
VARIANTS = {
    "plain": {},
    "no convolutions of codes": {
        "ae_quant_conv": False, "ae_post_quant_conv": False, "latent_channels": 7,
    },
    "no attention, grey": {"ae_mid_attention": False, "channels": 1, "ae_layers_per_block": 3},
    "one stage, odd": {"ae_channels": [8], "image_size": 33},
    "four stages": {"ae_channels": [8, 8, 20, 20], "image_size": 64},
}  # fmt: skip

#: Held-out siblings, counted by diffusers 0.42 on the meta device.
LARGE = {"ae_channels": [128, 256, 512, 512], "ae_layers_per_block": 2, "ae_groups": 32}
BARE = {"ae_quant_conv": False, "ae_post_quant_conv": False, "latent_channels": 16}
SIBLINGS = {
    "SDXL": (83_653_863, LARGE | {"image_size": 1024}),
    "SD3 and FLUX": (83_819_683, LARGE | BARE | {"image_size": 1024}),
    "half as wide, one block": (
        15_481_255, {"ae_channels": [64, 128, 256, 256], "ae_layers_per_block": 1},
    ),
}  # fmt: skip


def spec_of(dims=None, budget="1T", **task):
    constraints = UNBOUND | {"parameter_budget": {"max": budget}}
    return parse(
        BASE
        | {"modality": {"inputs": ["image"], "outputs": ["image"]}, "task": task}
        | {"training": {"objective": ["reconstruction"]}, "constraints": constraints}
        | {"architecture": {"dims": dims or {}}}
    )


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def variant(request, tmp_path_factory):
    spec = spec_of(SMALL | VARIANTS[request.param])
    assert route(spec)[0].id == "autoencoder"
    return import_package(spec, tmp_path_factory.mktemp("code"))


def test_the_blueprint_is_the_state_dict(variant):
    twins.check_state_dict(*variant[:2])


def test_flops_are_those_that_pytorch_counts(variant):
    package, release, _ = variant
    dims = release.blueprint["architecture"]["dims"]
    side = dims["image_size"]
    with torch.device("meta"):
        model = package.build_model(package.Config.full()).eval()
        images = torch.zeros(2, dims["channels"], side, side)
    twin = TOPOLOGIES["autoencoder"].build(dims)
    assert twins.counted_flops(lambda: model(images)) == twin.flops(2, 1).counted


def test_the_generated_code_is_clean_and_complete(variant):
    twins.check_code(*variant)


@pytest.mark.parametrize("name", SIBLINGS)
def test_siblings_of_published_models_are_exact(name):
    params, dims = SIBLINGS[name]
    assert blueprint(spec_of(dims)).design.model.count() == params


def test_published_names_of_dimensions_are_understood():
    dims = {"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2, "in_channels": 3,
            "norm_num_groups": 32, "use_quant_conv": True, "latent_channels": 4}  # fmt: skip
    assert blueprint(spec_of(dims)).design.model.count() == 83_653_863


@settings(max_examples=40, deadline=None)
@given(st.floats(5, 12), st.sampled_from([8, 9, 28, 32, 64, 97, 256, 512, 1000]))
def test_every_budget_is_filled(exponent, size):
    topology, budget = TOPOLOGIES["autoencoder"], 10**exponent
    best = twins.filled(topology, budget, {"image_size": size})
    assert all(width % best.dims["ae_groups"] == 0 for width in best.dims["ae_channels"])


@pytest.mark.parametrize("size", [8, 30, 97, 1024])
def test_pictures_of_any_size_have_a_model(size, tmp_path):
    package = import_package(spec_of({}, "300K", image_size=size, channels=2), tmp_path)
    twins.check_state_dict(*package[:2])
    twins.check_training_pass(package[0])


def test_pinned_dimensions_leave_the_rest_to_the_budget():
    for dims in ({"ae_layers_per_block": 3}, {"latent_channels": 16}, {"ae_groups": 16}):
        design = blueprint(spec_of(dims, "20M")).design
        assert 18e6 < design.model.count() <= 20e6
        assert dims.items() <= design.dims.items()


@pytest.mark.parametrize(
    ("dims", "message"),
    [
        ({"ae_channels": [8, 12], "ae_groups": 8}, "does not divide"),
        ({"ae_channels": [8, 16, 16], "image_size": 30}, "cannot be halved"),
        ({"ae_channels": 8}, "a list"),
    ],
    ids=str,
)
def test_dimensions_that_contradict_each_other_are_refused(dims, message):
    with pytest.raises(SpecError, match=message):
        blueprint(spec_of(dims))
