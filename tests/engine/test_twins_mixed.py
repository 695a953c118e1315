"""Any inputs, any outputs: blueprint and code agree, budgets are filled, there is no hole.

Every modality stands on each side of at least one of the combinations.
"""

import pytest

from metagen.specs.errors import SpecError
from metagen.specs.loader import parse
from metagen.specs.vocabulary import INPUT, OUTPUT
from metagen.synth.routing import ROWS, route
from metagen.synth.topologies import TOPOLOGIES

from .conftest import BASE, UNBOUND, blueprint
from .generated import import_package

torch = pytest.importorskip("torch")

from . import twins  # noqa: E402

TOPOLOGY = TOPOLOGIES["mixed"]
SMALL = {"max_pos": 12, "image_size": 20, "patch_size": 8, "channels": 2, "frames": 5,
         "tubelet": 2, "sample_rate": 2000, "n_frames": 20, "n_mels": 16, "audio_patch": 8,
         "lookback": 20, "horizon": 11, "num_variables": 3, "series_patch": 8, "num_features": 5,
         "state_dim": 130, "num_points": 18, "point_group": 5, "num_nodes": 6, "node_features": 3,
         "num_classes": 7, "num_actions": 5, "action_dim": 2, "num_targets": 2, "max_objects": 3,
         "embedding_dim": 20, "d_model": 32, "n_layers": 2, "n_heads": 4, "head_dim": 8,
         "d_ff": 48}  # fmt: skip
VARIANTS = {
    "state -> text": {},
    "graph tabular -> audio": {"activation": "gelu_tanh"},
    "tabular video -> action": {"actions": "continuous"},
    "time_series image -> 3d": {},
    "video -> text value": {"vocab_size": 640},
    "3d audio -> graph": {},
    "text graph -> image state": {},
    "audio text -> video tabular": {},
    "image state -> bounding_boxes label": {},
    "3d time_series -> segmentation_mask embedding": {},
    "time_series state -> time_series action": {},
}


def spec_of(arrow, dims=None, budget="1T", **sections):
    inputs, outputs = (side.split() for side in arrow.split(" -> "))
    return parse(
        BASE
        | {
            "modality": {"inputs": inputs, "outputs": outputs},
            "constraints": UNBOUND | {"parameter_budget": {"max": budget}},
            "architecture": {"dims": dims or {}},
        }
        | sections
    )


def test_every_modality_stands_on_each_side():
    sides = [arrow.split(" -> ") for arrow in VARIANTS]
    assert {word for inputs, _ in sides for word in inputs.split()} == set(INPUT.words)
    assert {word for _, outputs in sides for word in outputs.split()} == set(OUTPUT.words)
    assert TOPOLOGY.covers["inputs"] == set(INPUT.words)
    assert TOPOLOGY.covers["outputs"] == set(OUTPUT.words)


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def variant(request, tmp_path_factory):
    spec = spec_of(request.param, SMALL | VARIANTS[request.param])
    return import_package(spec, tmp_path_factory.mktemp("code"))


def test_the_blueprint_is_the_state_dict(variant):
    assert variant[1].blueprint["architecture"]["topology"] == "mixed"
    twins.check_state_dict(*variant[:2])


def test_flops_are_those_that_pytorch_counts(variant):
    twins.check_flops_of_a_batch(*variant[:2])


def test_the_generated_code_is_clean_and_complete(variant):
    twins.check_code(*variant)


@pytest.mark.parametrize("arrow", ["state -> text", "tabular video -> action"])
@pytest.mark.parametrize("budget", ["100K", "1M", "30M", "150M", "1B", "20B", "1T"])
def test_budgets_are_filled(arrow, budget):
    plan = blueprint(spec_of(arrow, budget=budget, task={"image_size": 32}))
    twins.check_fill(plan)


@pytest.mark.parametrize("arrow", VARIANTS)
def test_the_modalities_decide_what_is_read_and_given(arrow):
    dims = blueprint(spec_of(arrow, budget="10M")).design.dims
    inputs, outputs = (side.split() for side in arrow.split(" -> "))
    assert {name for name in INPUT.words if dims[f"reads_{name}"]} == set(inputs)
    assert {name for name in OUTPUT.words if dims[f"gives_{name}"]} == set(outputs)


def test_the_table_has_no_hole():
    assert [row["topology"] for row in ROWS][-2:] == ["decoder_lm", "mixed"]
    assert {"inputs", "outputs", "objective", "task", "family"}.isdisjoint(ROWS[-1])


@pytest.mark.parametrize(
    ("arrow", "objective", "topology"),
    [
        ("text -> text", "diffusion", "decoder_lm"),
        ("taste -> text", "autoregressive", "decoder_lm"),
        ("text image -> label", "classification", "fused"),
        ("graph -> label", "classification", "graph_reader"),
        ("state -> text", "autoregressive", "mixed"),
        ("video -> text", "autoregressive", "mixed"),
        ("eeg -> karma", "diffusion", "mixed"),
    ],
)
def test_other_topologies_keep_their_rows(arrow, objective, topology):
    assert route(spec_of(arrow, training={"objective": [objective]}))[0].id == topology


@pytest.mark.parametrize(
    ("arrow", "objective", "noted"),
    [
        ("state -> text", "autoregressive", False),
        ("state -> text", "diffusion", True),
        ("tabular -> audio", "diffusion", True),
        ("tabular -> audio", "regression", False),
        ("tabular -> audio", "autoregressive", True),
        ("video state -> action", "actor_critic", True),
        ("video image -> label", "classification", False),
        ("3d -> embedding", "contrastive", False),
    ],
)
def test_objectives_that_are_not_trained_are_noted(arrow, objective, noted):
    topology, notes = route(spec_of(arrow, training={"objective": [objective]}))
    assert topology.id == "mixed"
    assert any(note.code == "approximated_objective" for note in notes) == noted


@pytest.mark.parametrize(
    "pins",
    [{"patch_size": 400}, {"audio_patch": 200}, {"series_patch": 100}, {"tubelet": 9}],
    ids=str,
)
def test_pins_that_no_model_can_have_are_refused(pins):
    with pytest.raises(SpecError, match=next(iter(pins))):
        blueprint(spec_of("state -> text", pins))
