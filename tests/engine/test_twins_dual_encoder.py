"""The dual encoder and its PyTorch twin agree: names, shapes, order, FLOPs; and fill budgets."""

import pytest

from metagen.specs.loader import parse
from metagen.synth.solver import required_fill

from . import twins
from .conftest import UNBOUND, blueprint
from .generated import import_package

torch = pytest.importorskip("torch")

SMALL = {"vocab_size": 320, "context_length": 24, "text_d_model": 32, "text_n_layers": 2,
         "text_n_heads": 4, "text_d_ff": 80, "vision_d_model": 48, "vision_n_layers": 3,
         "vision_n_heads": 4, "vision_d_ff": 96, "image_size": 32, "patch_size": 8,
         "embed_dim": 24}  # fmt: skip

VARIANTS = {
    "softmax": {},
    "sigmoid": {"loss": "sigmoid", "embed_dim": 48},
    "sigmoid with projection": {"loss": "sigmoid", "image_proj": True},
    "attention pool, class token": {"image_pool": "attention", "activation": "gelu"},
    "grey, no norm": {"channels": 1, "pre_norm": False, "patch_bias": True, "text_causal": False},
}


def spec_of(dims=None, budget="1T", outputs=("text", "image")):
    constraints = UNBOUND | {"parameter_budget": {"max": budget}}
    return parse(
        {
            "metagen_version": "1.0",
            "name": "probe",
            "modality": {"inputs": ["text", "image"], "outputs": list(outputs)},
            "training": {"objective": ["contrastive"]},
            "constraints": constraints,
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
    twins.check_flops_of_a_batch(*variant[:2])


def test_the_generated_code_is_clean(variant):
    _, release, home = variant
    twins.check_style(home)
    twins.check_switches(release)


def test_both_presets_run_forward_and_backward(variant):
    package, *_ = variant
    twins.check_training_pass(package)


@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
@pytest.mark.parametrize("budget", ["100K", "1M", "30M", "150M", "1B", "20B", "1T"])
def test_budgets_are_filled_by_recognisable_shapes(loss, budget):
    plan = blueprint(spec_of({"loss": loss}, budget))
    dims, params = plan.design.dims, plan.demands.params
    assert required_fill(params) * params <= plan.design.model.count() <= params
    for prefix in ("text", "vision"):
        assert dims[f"{prefix}_d_model"] % dims[f"{prefix}_n_heads"] == 0
        assert dims[f"{prefix}_d_ff"] == 4 * dims[f"{prefix}_d_model"]
    assert 0.4 <= dims["text_d_model"] / dims["vision_d_model"] <= 1.35


def test_pins_that_no_model_can_have_are_refused():
    from metagen.specs.errors import SpecError

    for dims in ({"text_d_model": 64, "text_n_heads": 5}, {"class_token": False},
                 {"image_size": 8, "patch_size": 16}):  # fmt: skip
        with pytest.raises(SpecError, match=list(dims)[-1]):
            blueprint(spec_of(dims))


def test_embeddings_are_what_it_gives_as_well():
    plan = blueprint(spec_of(outputs=["embedding"], budget="10M"))
    assert plan.demands.topology.id == "dual_encoder"
