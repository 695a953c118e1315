"""Image classifiers: blueprint and code agree, published models are exact, budgets are filled."""

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

SMALL = {
    "vit": {"image_size": 40, "patch_size": 8, "channels": 2, "num_classes": 7, "d_model": 48,
            "n_layers": 2, "n_heads": 4, "head_dim": 12, "d_ff": 96},
    "resnet": {"image_size": 72, "num_classes": 7, "stem_dim": 12, "hidden_sizes": [12, 20, 28, 36],
               "depths": [1, 2, 3, 1]},
    "convnext": {"image_size": 72, "num_classes": 7, "block": "convnext",
                 "hidden_sizes": [12, 20, 28, 36], "depths": [1, 2, 3, 1]},
}  # fmt: skip
VARIANTS = {
    "vit": ("vit", {}),
    "vit, mean": ("vit", {"pool": "mean", "attn_qkv_bias": False, "activation": "gelu_tanh"}),
    "vit, quick": ("vit", {"activation": "quick_gelu", "image_size": 44}),
    "resnet, basic": ("resnet", {"block": "basic"}),
    "resnet, stem of its own": ("resnet", {"block": "basic", "stem_dim": 8, "image_size": 33}),
    "resnet, bottleneck": ("resnet", {"block": "bottleneck"}),
    "resnet, wide": ("resnet", {"block": "bottleneck", "reduction": 2, "channels": 1}),
    "convnext": ("convnext", {}),
    "convnext, odd": ("convnext", {"kernel_size": 5, "mlp_ratio": 3, "patch_size": 3}),
}

#: Held-out siblings of the published models in `published.json`; torchvision and timm metadata.
VIT = {"n_layers": 12, "head_dim": 64, "patch_size": 16}
RESNET = {"block": "bottleneck", "stem_dim": 64, "hidden_sizes": [256, 512, 1024, 2048]}
CONVNEXT = {"block": "convnext", "depths": [3, 3, 27, 3]}
SIBLINGS = {
    "ViT-L/16": (304_326_632, VIT | {"d_model": 1024, "n_layers": 24, "n_heads": 16,
                                     "d_ff": 4096}),
    "ViT-B/32": (88_224_232, VIT | {"d_model": 768, "n_heads": 12, "d_ff": 3072,
                                    "patch_size": 32}),
    "DeiT-Ti": (5_717_416, VIT | {"d_model": 192, "n_heads": 3, "d_ff": 768}),
    "ResNet-34": (21_797_672, {"block": "basic", "stem_dim": 64, "depths": [3, 4, 6, 3],
                               "hidden_sizes": [64, 128, 256, 512]}),
    "ResNet-50": (25_557_032, RESNET | {"depths": [3, 4, 6, 3]}),
    "ResNet-101": (44_549_160, RESNET | {"depths": [3, 4, 23, 3]}),
    "ResNet-152": (60_192_808, RESNET | {"depths": [3, 8, 36, 3]}),
    "Wide ResNet-50-2": (68_883_240, RESNET | {"depths": [3, 4, 6, 3], "reduction": 2}),
    "ConvNeXt-S": (50_223_688, CONVNEXT | {"hidden_sizes": [96, 192, 384, 768]}),
    "ConvNeXt-B": (88_591_464, CONVNEXT | {"hidden_sizes": [128, 256, 512, 1024]}),
    "ConvNeXt-L": (197_767_336, CONVNEXT | {"hidden_sizes": [192, 384, 768, 1536]}),
}  # fmt: skip


def family_of(name, dims):
    return "cnn" if name in ("resnet", "convnext") or "depths" in dims else "transformer"


def spec_of(dims=None, family="transformer", budget="1T", outputs=("label",), **task):
    constraints = UNBOUND | {"parameter_budget": {"max": budget}}
    return parse(
        BASE
        | {"modality": {"inputs": ["image"], "outputs": list(outputs)}, "task": task}
        | {"training": {"objective": ["classification"]}, "constraints": constraints}
        | {"architecture": {"family": family, "dims": dims or {}}}
    )


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def variant(request, tmp_path_factory):
    topology, dims = VARIANTS[request.param]
    spec = spec_of(SMALL[topology] | dims, family_of(topology, dims))
    assert route(spec)[0].id == topology
    return import_package(spec, tmp_path_factory.mktemp("code"))


def test_the_blueprint_is_the_state_dict(variant):
    twins.check_state_dict(*variant[:2])


def test_flops_are_those_that_pytorch_counts(variant):
    dims = variant[1].blueprint["architecture"]["dims"]
    side = dims["image_size"]
    twins.check_flops(*variant[:2], 2, dims["channels"], side, side)


def test_the_generated_code_is_clean_and_complete(variant):
    twins.check_code(*variant)


@pytest.mark.parametrize("name", SIBLINGS)
def test_siblings_of_published_models_are_exact(name):
    params, dims = SIBLINGS[name]
    assert blueprint(spec_of(dims, family_of("", dims))).design.model.count() == params


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["vit", "resnet", "convnext"]), st.floats(5, 12))
def test_every_budget_is_filled(name, exponent):
    topology, budget = TOPOLOGIES[name], 10**exponent
    twins.filled(topology, budget)


@pytest.mark.parametrize(
    ("sections", "topology"),
    [
        ({}, "vit"),
        ({"family": "cnn"}, "resnet"),
        ({"family": "cnn", "dims": {"block": "convnext"}}, "convnext"),
        ({"family": "cnn", "components": [{"name": "Eye", "type": "convnext"}]}, "convnext"),
        ({"family": "cnn", "components": [{"name": "Eye", "type": "retina"}]}, "resnet"),
    ],
    ids=str,
)
def test_family_and_parts_decide_the_backbone(sections, topology):
    document = BASE | {"modality": {"inputs": ["image"], "outputs": ["label"]}}
    assert route(parse(document | {"architecture": sections}))[0].id == topology


def test_the_objective_decides_before_the_outputs():
    topology, notes = route(spec_of(outputs=["image"]))
    assert topology.id == "vit"
    assert any(note.path == "modality.outputs" for note in notes)


def test_the_task_decides_the_pictures():
    asked = {"num_classes": 9, "image_size": 96, "channels": 1}
    for family in ("transformer", "cnn"):
        dims = blueprint(spec_of(family=family, budget="1M", **asked)).design.dims
        assert asked.items() <= dims.items()


@pytest.mark.parametrize("size", [8, 30, 97, 1024])
@pytest.mark.parametrize("name", ["vit", "resnet", "convnext"])
def test_pictures_of_any_size_have_a_model(name, size, tmp_path):
    dims = {"block": "convnext"} if name == "convnext" else {}
    spec = spec_of(dims, family_of(name, dims), "300K", image_size=size, num_classes=5)
    package = import_package(spec, tmp_path)
    twins.check_state_dict(*package[:2])
    twins.check_training_pass(package[0])


@pytest.mark.parametrize(
    ("family", "dims", "message"),
    [
        ("transformer", {"image_size": 100, "patch_size": 160}, "above image_size"),
        ("cnn", {"depths": [1, 2, 3]}, "3 numbers, not 4"),
        ("cnn", {"block": "convnext", "kernel_size": 4}, "even"),
        ("cnn", {"block": "convnext", "image_size": 16, "patch_size": 4}, "too small"),
        ("cnn", {"block": "bottleneck", "hidden_sizes": [6, 8, 8, 8]}, "does not divide"),
    ],
    ids=str,
)
def test_dimensions_that_contradict_each_other_are_refused(family, dims, message):
    with pytest.raises(SpecError, match=message):
        blueprint(spec_of(dims, family))
