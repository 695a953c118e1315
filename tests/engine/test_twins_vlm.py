"""The vision-language model and its PyTorch twin agree: names, shapes, order, FLOPs."""

import pytest

from metagen.specs.loader import parse
from metagen.synth.parts.vlm import VisionLanguageModel

from . import twins
from .conftest import UNBOUND, blueprint
from .generated import import_package

torch = pytest.importorskip("torch")

SMALL = {"vocab_size": 320, "d_model": 48, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2,
         "head_dim": 16, "d_ff": 80, "max_pos": 128, "vision_d_model": 32, "vision_n_layers": 3,
         "vision_n_heads": 4, "vision_d_ff": 64, "image_size": 32, "patch_size": 8}  # fmt: skip

VARIANTS = {
    "llava": {"feature_layer": -2, "tied": False},
    "all layers": {},
    "no class token": {"class_token": False, "vision_activation": "gelu", "pre_norm": False},
    "biases": {"attn_qkv_bias": True, "patch_bias": True, "channels": 1},
}


def spec_of(dims=None, budget="1T", inputs=("text", "image")):
    return parse(
        {
            "metagen_version": "1.0",
            "name": "probe",
            "modality": {"inputs": list(inputs), "outputs": ["text"]},
            "constraints": UNBOUND | {"parameter_budget": {"max": budget}},
            "architecture": {"dims": dims or {}},
        }
    )


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def variant(request, tmp_path_factory):
    spec = spec_of(SMALL | VARIANTS[request.param])
    return import_package(spec, tmp_path_factory.mktemp("code"))


def test_the_blueprint_is_the_state_dict(variant):
    package, release, _ = variant
    twins.check_state_dict(package, release)


def test_flops_are_those_that_pytorch_counts(variant):
    package, release, _ = variant
    config = package.Config.full()
    batch = package.synthetic_batch(config, 3, 0)

    def run():
        model = package.build_model(config)
        model(batch["images"].to("meta"), batch["tokens"].to("meta"))

    twin = VisionLanguageModel(release.blueprint["architecture"]["dims"])
    length = batch["tokens"].size(1) + twin.patches
    assert twins.counted_flops(run) == twin.flops(3, length).counted


def test_the_generated_code_is_clean(variant):
    _, release, home = variant
    twins.check_style(home)
    twins.check_switches(release)


def test_both_presets_run_forward_and_backward(variant):
    package, *_ = variant
    config = package.Config.tiny()
    model = package.build_model(config)
    model.loss(package.synthetic_batch(config, 2, 0)).backward()
    still = {name for name, p in model.named_parameters() if p.grad is None}
    assert still == {name for name, p in model.named_parameters() if not p.requires_grad}


def test_layers_beyond_the_features_are_frozen():
    spec = spec_of(SMALL | {"feature_layer": -2})
    model = blueprint(spec).design.model
    frozen = {name for name, tensor in model.named_tensors() if not tensor.trainable}
    assert {name.split(".")[2] for name in frozen if "blocks" in name} == {"2"}
    assert {"vision.norm.weight", "vision.norm.bias"} <= frozen


@pytest.mark.parametrize("inputs", [("text", "image"), ("image",)], ids="+".join)
@pytest.mark.parametrize("budget", ["100K", "1M", "30M", "300M", "7B", "70B", "1T"])
def test_budgets_are_filled(inputs, budget):
    plan = blueprint(spec_of(budget=budget, inputs=inputs))
    assert plan.demands.topology.id == "vlm"
    twins.check_fill(plan)


def test_pins_that_no_model_can_have_are_refused():
    from metagen.specs.errors import SpecError

    for dims in ({"n_heads": 8, "n_kv_heads": 3}, {"head_dim": 7}, {"max_pos": 100},
                 {"vision_n_layers": 1, "feature_layer": -2}):  # fmt: skip
        with pytest.raises(SpecError, match=list(dims)[-1]):
            blueprint(spec_of(dims))
