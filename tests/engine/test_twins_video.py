"""Video classifiers: blueprint and code agree, published models are exact, budgets are filled."""

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

TOPOLOGY = TOPOLOGIES["video_classifier"]
MODALITY = {"inputs": ["video"], "outputs": ["label"]}
SMALL = {"frames": 6, "image_size": 24, "channels": 2, "tubelet": 3, "patch_size": 8,
         "num_classes": 7, "d_model": 48, "n_layers": 2, "n_heads": 4, "head_dim": 12,
         "d_ff": 96}  # fmt: skip
VARIANTS = {
    "plain": {},
    "class token": {"pool": "class_token"},
    "learned positions": {"pos": "learned", "attn_qkv_bias": False},
    "vivit": {"pool": "class_token", "pos": "learned", "activation": "gelu_tanh"},
    "odd width, one frame": {"d_model": 51, "frames": 1, "tubelet": 1, "channels": 1},
}

#: Arnab et al., 2021, 32 frames; width, layers, heads and the library's parameters and FLOPs.
PUBLISHED = {
    "ViViT-B/16x2": (768, 12, 12, 88_954_000, 903_049_506_816),
    "ViViT-L/16x2": (1024, 24, 16, 307_508_624, 2_871_937_335_296),
}


def spec_of(dims=None, budget="1T", **task):
    constraints = UNBOUND | {"parameter_budget": {"max": budget}}
    architecture = {"dims": dims or {}}
    sections = {"constraints": constraints, "architecture": architecture, "task": task}
    return parse(BASE | {"modality": MODALITY} | sections)


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def variant(request, tmp_path_factory):
    return import_package(spec_of(SMALL | VARIANTS[request.param]), tmp_path_factory.mktemp("code"))


def test_the_blueprint_is_the_state_dict(variant):
    twins.check_state_dict(*variant[:2])


def test_flops_are_those_that_pytorch_counts(variant):
    package, release, _ = variant
    dims = release.blueprint["architecture"]["dims"]
    twin, length = TOPOLOGY.build(dims), TOPOLOGY.length(dims)
    with torch.device("meta"):
        model = package.build_model(package.Config.full())
        waves = torch.zeros(2, *TOPOLOGY.sample(dims))
    assert twins.counted_flops(lambda: model(waves)) == twin.flops(2, length).counted


def test_the_generated_code_is_clean_and_complete(variant):
    twins.check_style(variant[2])
    twins.check_switches(variant[1])
    twins.check_training_pass(variant[0])


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_models_are_exact(name):
    d_model, n_layers, n_heads, params, flops = PUBLISHED[name]
    pins = {"frames": 32, "d_model": d_model, "n_layers": n_layers, "n_heads": n_heads,
            "head_dim": 64, "d_ff": 4 * d_model, "pool": "class_token", "pos": "learned",
            "tubelet": 2, "patch_size": 16, "activation": "gelu_tanh"}  # fmt: skip
    design = blueprint(spec_of(pins)).design
    assert design.model.count() == params
    assert design.model.flops(1, TOPOLOGY.length(design.dims)).counted == flops


@settings(max_examples=60, deadline=None)
@given(st.floats(5, 12))
def test_every_budget_is_filled(exponent):
    budget = 10**exponent
    best = TOPOLOGY.shapes(budget, Frame({"num_classes": 50}))[0]
    assert required_fill(budget) * budget <= best.params <= budget
    assert TOPOLOGY.build(best.dims).count() == best.params


def test_the_task_decides_the_clip():
    dims = blueprint(spec_of(num_classes=9, frames=15, image_size=96)).design.dims
    assert (dims["num_classes"], dims["frames"], dims["image_size"]) == (9, 15, 96)
    assert (dims["tubelet"], dims["patch_size"]) == (1, 16)


@pytest.mark.parametrize(
    "pins", [{"patch_size": 9, "image_size": 32}, {"tubelet": 3, "frames": 8}], ids=str
)
def test_tubelets_fill_the_clip(pins):
    with pytest.raises(SpecError, match="does not divide"):
        blueprint(spec_of(pins))
