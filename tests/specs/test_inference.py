"""What a specification means where it does not say."""

from __future__ import annotations

import itertools

import pytest

from metagen.specs import vocabulary as v
from metagen.specs.resolve import OBJECTIVE_OF_TASK, TASK_OF_OBJECTIVE

INFERRED = [
    # inputs, outputs                     task                    objective             family
    ("text", "text", "generation", ["autoregressive"], "transformer"),
    ("text", "image", "generation", ["diffusion"], "diffusion"),
    ("text", "video audio", "generation", ["diffusion", "autoregressive"], "hybrid"),
    ("text", "audio", "generation", ["autoregressive"], "transformer"),
    ("text", "3d", "generation", ["diffusion"], "diffusion"),
    ("text", "taste", "generation", ["autoregressive"], "transformer"),
    ("text", "label", "classification", ["classification"], "transformer"),
    ("image", "label", "classification", ["classification"], "transformer"),
    ("image", "segmentation_mask", "semantic_segmentation", ["segmentation"], "transformer"),
    ("image", "bounding_boxes", "object_detection", ["detection"], "transformer"),
    ("image", "text", "captioning", ["autoregressive"], "transformer"),
    ("audio", "text", "speech_recognition", ["autoregressive"], "transformer"),
    ("time_series", "time_series", "forecasting", ["regression"], "transformer"),
    ("time_series", "value", "forecasting", ["regression"], "transformer"),
    ("graph", "label", "graph_classification", ["classification"], "gnn"),
    ("tabular", "value", "regression", ["regression"], "mlp"),
    ("tabular", "label", "classification", ["classification"], "mlp"),
    ("state", "action", "actor_critic", ["actor_critic"], "mlp"),
    ("image", "action", "actor_critic", ["actor_critic"], "cnn"),
    ("text image", "embedding", "embedding", ["contrastive"], "transformer"),
]


@pytest.mark.parametrize(("inputs", "outputs", "task", "objective", "family"), INFERRED)
def test_from_the_modalities(make, inputs, outputs, task, objective, family):
    spec = make(inputs.split(), outputs.split()).resolved()
    assert spec["task"]["type"] == task
    assert spec["training"]["objective"] == objective
    assert spec["architecture"]["family"] == family


@pytest.mark.parametrize(
    ("objective", "inputs", "outputs", "task"),
    [
        ("classification", "image", "image", "classification"),
        ("contrastive", ["text", "image"], ["text", "image"], "embedding"),
        ("classification", "graph", "graph", "graph_classification"),
        ("diffusion", "text", "image", "generation"),
        ("value_based", "state", "action", "value_based"),
    ],
)
def test_a_stated_objective_decides_the_task(make, objective, inputs, outputs, task):
    spec = make(inputs, outputs, training={"objective": objective})
    assert spec.task.type == task
    assert spec.training.objective == (objective,)


@pytest.mark.parametrize(("task", "objective"), OBJECTIVE_OF_TASK.items())
def test_a_stated_task_decides_the_objective(make, task, objective):
    assert make("image", "text", task={"type": task}).training.objective == (objective,)


def test_what_is_stated_stays(make):
    spec = make(
        "image",
        "label",
        description="As said.",
        task={"type": "retrieval", "domain": "birds"},
        training={"objective": ["masked", "diffusion"]},
        architecture={"family": "mamba"},
        constraints={"context_window": 77},
    ).resolved()
    assert spec["description"] == "As said."
    assert spec["task"] == {"type": "retrieval", "domain": "birds"}
    assert spec["training"]["objective"] == ["masked", "diffusion"]
    assert spec["architecture"]["family"] == "mamba"
    assert spec["constraints"]["context_window"] == "77"


def test_the_domain_is_the_main_output_or_what_is_judged(make):
    assert make("text", ["video", "audio"]).task.domain == "video"
    assert make("time_series", "value").task.domain == "time series"


def test_context_is_for_text(make):
    assert make("text", "text").constraints.context_window.text == "128k"
    assert make("text", "label").constraints.context_window.text == "128k"
    assert make("text", "taste").constraints.context_window.text == "128k"
    assert make("text", "image").constraints.context_window is None
    assert "context_window" not in make("image", "label").resolved()["constraints"]


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("text", "30 tok/s"),
        ("video", "30fps"),
        ("image", "30 img/s"),
        ("action", "30 steps/s"),
        ("label", "30 samples/s"),
    ],
)
def test_a_bare_throughput_is_of_the_main_output(make, output, text):
    spec = make("image", output, constraints={"throughput": 30})
    assert spec.constraints.throughput.text == text
    assert make("image", output).constraints.throughput is None


def test_descriptions_are_sentences(make):
    assert make("text", "image").description == "Text-to-image generation model"
    spec = make(["text", "image", "3d"], ["video", "audio"])
    assert spec.description == "Text, image and 3D to video and audio generation model"
    assert make("3d", "label").description == "3D-to-label classification model"


def test_inference_is_total(make):
    for given, made in itertools.product(v.INPUT.words, v.OUTPUT.words):
        spec = make(given, made)
        assert spec.task.type in v.TASK.words
        assert spec.architecture.family in v.FAMILY.words
        for objective in v.OBJECTIVE.words:
            make(given, made, training={"objective": objective})


def test_the_tables_speak_the_vocabularies():
    assert set(OBJECTIVE_OF_TASK) == set(v.TASK.words) - {"generation"}
    assert set(OBJECTIVE_OF_TASK.values()) <= set(v.OBJECTIVE.words)
    assert set(TASK_OF_OBJECTIVE) <= set(v.OBJECTIVE.words)
    assert set(TASK_OF_OBJECTIVE.values()) <= set(v.TASK.words)
