"""Fused inputs: blueprint and code agree for every combination, budgets are filled, rows route."""

import pytest

from metagen.specs.errors import SpecError
from metagen.specs.loader import parse
from metagen.synth.routing import route
from metagen.synth.topologies import TOPOLOGIES

from .conftest import BASE, UNBOUND, blueprint
from .generated import import_package

torch = pytest.importorskip("torch")

from . import twins  # noqa: E402

TOPOLOGY = TOPOLOGIES["fused"]
SMALL = {"context_length": 24, "image_size": 32, "patch_size": 8, "sample_rate": 8000,
         "n_frames": 40, "n_mels": 24, "audio_patch": 8, "num_classes": 7, "embedding_dim": 20,
         "d_model": 48, "n_layers": 2, "n_heads": 4, "head_dim": 12, "d_ff": 96}  # fmt: skip
VARIANTS = {
    "text image -> label embedding": {},
    "text audio -> label": {"activation": "gelu_tanh"},
    "image audio -> value": {"channels": 1},
    "text image audio -> label value embedding": {},
    "text -> label value": {"vocab_size": 640},
    "text -> value": {},
    "image -> label embedding": {},
    "image -> value": {},
    "audio -> value": {},
}


def spec_of(arrow, dims=None, budget="1T", objective=None, **sections):
    inputs, outputs = (side.split() for side in arrow.split(" -> "))
    objective = objective or ("classification" if "label" in outputs else "regression")
    return parse(
        BASE
        | {
            "modality": {"inputs": inputs, "outputs": outputs},
            "training": {"objective": [objective]},
            "constraints": UNBOUND | {"parameter_budget": {"max": budget}},
            "architecture": {"dims": dims or {}},
        }
        | sections
    )


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def variant(request, tmp_path_factory):
    spec = spec_of(request.param, SMALL | VARIANTS[request.param])
    return import_package(spec, tmp_path_factory.mktemp("code"))


def test_the_blueprint_is_the_state_dict(variant):
    twins.check_state_dict(*variant[:2])


def test_flops_are_those_that_pytorch_counts(variant):
    twins.check_flops_of_a_batch(*variant[:2])


def test_the_generated_code_is_clean_and_complete(variant):
    twins.check_code(*variant)


@pytest.mark.parametrize("arrow", ["text image -> label embedding", "text image audio -> value"])
@pytest.mark.parametrize("budget", ["100K", "1M", "30M", "150M", "1B", "20B", "1T"])
def test_budgets_are_filled(arrow, budget):
    plan = blueprint(spec_of(arrow, budget=budget))
    twins.check_fill(plan)


@pytest.mark.parametrize("arrow", VARIANTS)
def test_the_modalities_decide_what_is_read_and_given(arrow):
    dims = blueprint(spec_of(arrow, budget="10M")).design.dims
    for name in arrow.replace("->", "").split():
        assert dims[f"reads_{name}" if f"reads_{name}" in dims else f"gives_{name}"]
    assert sum(dims[n] for n in TOPOLOGY.table if n.startswith(("reads_", "gives_"))) == len(
        arrow.replace("->", "").split()
    )


@pytest.mark.parametrize(
    ("arrow", "objective", "topology"),
    [
        ("image -> label", "classification", "vit"),
        ("audio -> label", "classification", "audio_classifier"),
        ("text -> label", "classification", "text_encoder"),
        ("text -> embedding", "contrastive", "text_encoder"),
        ("text image -> embedding", "contrastive", "dual_encoder"),
        ("text image -> text", "autoregressive", "vlm"),
        ("text image -> label", "classification", "fused"),
        ("taste aura -> label", "classification", "fused"),
    ],
)
def test_other_topologies_keep_their_rows(arrow, objective, topology):
    assert route(spec_of(arrow, objective=objective))[0].id == topology


@pytest.mark.parametrize(
    "pins",
    [{"patch_size": 400}, {"audio_patch": 200}, {f"gives_{n}": False for n in
     ("label", "value", "embedding")}],
    ids=str,
)  # fmt: skip
def test_pins_that_no_model_can_have_are_refused(pins):
    with pytest.raises(SpecError, match=next(iter(pins))):
        blueprint(spec_of("text image -> label", pins))
