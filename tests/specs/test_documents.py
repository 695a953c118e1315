"""Valid documents: what they resolve to, what they keep, and which spellings they take."""

from __future__ import annotations

import copy
import json
import math
import pickle

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from metagen.specs import vocabulary as v
from metagen.specs.loader import examples, load_spec, load_text, parse

SMALLEST = {
    "metagen_version": "1.0",
    "name": "x",
    "modality": {"inputs": "text", "outputs": "text"},
}


def test_the_canonical_document_resolves_to_itself(canonical, tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(canonical)
    spec = load_spec(path)
    stated = yaml.safe_load(canonical)
    assert spec.stated == stated
    assert spec.resolved() == {**stated, "architecture": {**stated["architecture"], "dims": {}}}
    assert list(spec.resolved()) == list(stated)
    assert spec.constraints.memory_budget.value == 12 * 10**9
    assert spec.constraints.context_window.value == 1024**2


def test_the_defaults_of_three_fields():
    spec = parse(SMALLEST).resolved()
    assert spec["constraints"] == {
        "latency": "near-real-time",
        "device": "consumer_gpu",
        "parameter_budget": {"max": "20B"},
        "memory_budget": "12GB",
        "context_window": "128k",
    }
    assert spec["reproducibility"] == {"seed": 42, "determinism": "aspirational"}
    assert spec["training"]["objective"] == ["autoregressive"]
    assert spec["training"]["compute"] == {"hardware": "8xH100", "duration": "3 days"}
    assert spec["architecture"]["family"] == "transformer"
    assert spec["outputs"]["artifacts"] == list(v.ARTIFACT.words)
    assert spec["task"] == {"type": "generation", "domain": "text"}
    assert spec["description"] == "Text-to-text generation model"


def test_every_default_is_the_canonical_one(canonical):
    """What the canonical document states and nothing infers is what silence means."""
    stated = yaml.safe_load(canonical)
    silent = parse(SMALLEST).resolved()
    for section in ("outputs", "evaluation", "reproducibility"):
        assert silent[section] == stated[section]
    for field in ("data", "compute", "alignment"):
        assert silent["training"][field] == stated["training"][field]
    assert silent["architecture"]["components"] == stated["architecture"]["components"]


@pytest.mark.parametrize("name", sorted(examples()))
def test_examples_are_valid_and_idempotent(name):
    spec = load_spec(name)
    assert spec.name == name
    assert parse(spec.resolved()).resolved() == spec.resolved()
    assert examples()[name].read_text().startswith("# yaml-language-server: $schema=")


def test_the_examples_are_there():
    wanted = {"text_llm_8b", "edge_tiny_agent", "infinite_context", "taste_generation"}
    assert wanted <= set(examples())


def test_empty_fields_are_not_stated():
    text = "metagen_version: 1.0\nname: x\nmodality: {inputs: text, outputs: [text]}\ntask:\n"
    text += "constraints:\n  device:\n  parameter_budget:\ntraining:\n  objective:\n"
    assert parse(load_text(text)).resolved() == parse(SMALLEST).resolved()


@pytest.mark.parametrize("version", ["1.0", 1.0, 1, "1", " 1.0 "])
def test_versions(version):
    assert parse({**SMALLEST, "metagen_version": version}).metagen_version == "1.0"


def test_json_and_yaml_are_one_document(canonical):
    data = load_text(canonical)
    for indent in (None, 2, "\t"):
        for ascii_only in (True, False):
            text = json.dumps(data, indent=indent, ensure_ascii=ascii_only)
            assert load_text(text) == data
    assert load_text('{"name": "\\ud83d\\ude00\\\\ud83d"}') == {"name": "😀\\ud83d"}


def test_a_schema_link_is_no_field():
    spec = parse({"$schema": "https://example.org/msl.json", **SMALLEST})
    assert "$schema" not in spec.stated
    assert spec.resolved() == parse(SMALLEST).resolved()


def test_bare_values_where_lists_and_budgets_go(make):
    spec = make(
        constraints={"parameter_budget": "7B"},
        training={"objective": "ar"},
        evaluation={"benchmarks": "META-SOTA"},
    )
    assert spec.constraints.parameter_budget.max.text == "7B"
    assert spec.training.objective == ("autoregressive",)
    assert spec.evaluation.benchmarks == ("META-SOTA",)


def test_lists_keep_their_order_and_lose_repetitions(make):
    spec = make(["image", "Texts", "text", "code"], ["audio"])
    assert spec.modality.inputs == ("image", "text")


def test_empty_lists_where_nothing_is_an_answer(make):
    spec = make(outputs="text", evaluation={"benchmarks": [], "baselines": []})
    assert spec.resolved()["evaluation"]["benchmarks"] == []
    spec = parse({**SMALLEST, "outputs": {"artifacts": []}, "architecture": {"components": []}})
    assert spec.outputs.artifacts == spec.architecture.components == ()


@pytest.mark.parametrize(
    ("vocabulary", "word", "meant"),
    [
        (v.LATENCY, "batch", "offline"),
        (v.LATENCY, "Real Time", "real-time"),
        (v.LATENCY, "realtime", "real-time"),
        (v.TASK, "time_series_forecast", "forecasting"),
        (v.TASK, "rl", "actor_critic"),
        (v.TASK, "segmentation", "semantic_segmentation"),
        (v.OBJECTIVE, "rl", "actor_critic"),
        (v.OBJECTIVE, "next-token prediction", "autoregressive"),
        (v.FAMILY, "SSM", "mamba"),
        (v.INPUT, "images", "image"),
        (v.INPUT, "3D", "3d"),
        (v.INPUT, "timeseries", "time_series"),
        (v.OUTPUT, "bounding_box", "bounding_boxes"),
        (v.OUTPUT, "classes", "label"),
        (v.PRECISION, "bfloat16", "bf16"),
        (v.INPUT, "vibe", "vibes"),
    ],
)
def test_synonyms(vocabulary, word, meant):
    assert vocabulary.match(word) == meant


@pytest.mark.parametrize(
    "vocabulary",
    [
        v.LATENCY,
        v.DEVICE,
        v.PRECISION,
        v.FAMILY,
        v.ARTIFACT,
        v.TASK,
        v.OBJECTIVE,
        v.INPUT,
        v.OUTPUT,
    ],
    ids=lambda vocabulary: vocabulary.noun,
)
def test_vocabularies_are_sound(vocabulary):
    known = {*vocabulary.words, *vocabulary.also}
    assert set(vocabulary.aliases.values()) <= known
    assert not known & set(vocabulary.aliases)
    assert all(vocabulary.match(word) == word for word in known)
    assert all(vocabulary.match(alias) == word for alias, word in vocabulary.aliases.items())


def test_the_closed_vocabularies_are_those_of_the_requirements():
    tasks = """
        generation classification regression embedding retrieval ranking recommendation
        translation summarization speech_recognition text_to_speech captioning object_detection
        semantic_segmentation instance_segmentation forecasting anomaly_detection actor_critic
        policy_gradient value_based node_classification link_prediction graph_classification
    """
    objectives = """
        autoregressive masked diffusion flow_matching contrastive classification regression
        reconstruction detection segmentation ranking actor_critic policy_gradient value_based
    """
    assert list(v.TASK.words) == tasks.split()
    assert list(v.OBJECTIVE.words) == objectives.split()
    shared = "text image audio video 3d time_series graph tabular state".split()
    judged = "label value embedding bounding_boxes segmentation_mask action".split()
    assert list(v.INPUT.words) == shared
    assert list(v.OUTPUT.words) == shared + judged
    assert list(v.FAMILY.words) == "transformer diffusion hybrid mamba cnn gnn mlp other".split()


def test_modalities_of_another_world_are_valid(make):
    spec = make("smell", ["taste", "vibes"])
    assert spec.modality.outputs == ("taste", "vibes")
    assert set(v.APPROXIMATED.values()) <= set(v.INPUT.words)
    assert v.stand_in("taste") == "text"
    assert v.stand_in("image") == "image"


def test_infinity(make):
    spec = make(constraints={"parameter_budget": {"max": "∞"}, "context_window": "∞"})
    assert spec.constraints.parameter_budget.max.is_infinite
    assert spec.constraints.context_window.value == math.inf
    assert spec.resolved()["constraints"]["context_window"] == "∞"
    assert parse(spec.resolved()).resolved() == spec.resolved()


def test_equal_quantities_resolve_to_one_document(make):
    spelled = [20_000_000_000, "20B", "20e9", 2e10, "20 billion", "20_000M"]
    specs = [make(constraints={"parameter_budget": {"max": raw}}) for raw in spelled]
    assert len({json.dumps(spec.resolved()) for spec in specs}) == 1
    decimal, binary = (make(constraints={"memory_budget": raw}) for raw in ("12GB", "12GiB"))
    assert decimal.resolved() != binary.resolved()


def test_dims_are_also_lists_of_numbers_and_mappings_as_published_ones_are(make):
    spec = make(architecture={"dims": {"depths": [2, "3"], "moe": {"n_experts": "8"}}})
    assert spec.resolved()["architecture"]["dims"] == {"depths": [2, 3], "moe": {"n_experts": 8}}


def test_dims_are_numbers_words_and_truths(make):
    dims = {"n_layers": "12", "rope_theta": "1e6", "norm_eps": 1e-5, "tied": True, "mlp": "gated"}
    spec = make(architecture={"dims": {**dims, "later": None}, "precision": "4bit"})
    assert spec.architecture.dims == {
        "n_layers": 12,
        "rope_theta": 1_000_000,
        "norm_eps": 1e-5,
        "tied": True,
        "mlp": "gated",
    }
    assert spec.architecture.precision == "int4"
    assert parse(spec.resolved()).resolved() == spec.resolved()


def test_sizes_of_the_task(make):
    spec = make("audio", "label", task={"num_classes": 10, "sample_rate": "16kHz", "seconds": 2.0})
    assert spec.resolved()["task"] == {
        "type": "classification",
        "domain": "audio",
        "num_classes": 10,
        "seconds": 2,
        "sample_rate": 16000,
    }
    assert type(spec.task.seconds) is int


def test_free_text_is_one_line(make):
    spec = make(description="  Reads \n\n  and\twrites. ", task={"domain": "模型 🎬"})
    assert spec.description == "Reads and writes."
    assert spec.task.domain == "模型 🎬"


def test_a_spec_is_frozen_and_its_statement_a_copy(make):
    spec = make()
    with pytest.raises(ValidationError):
        spec.name = "y"
    with pytest.raises(ValidationError):
        spec.constraints.device = "cpu"
    spec.stated["name"] = "y"
    assert spec.stated["name"] == "x"


def test_a_spec_can_be_copied_and_pickled(canonical, tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(canonical)
    spec = load_spec(path)
    for twin in (copy.deepcopy(spec), pickle.loads(pickle.dumps(spec))):
        assert twin.resolved() == spec.resolved()
        assert twin.stated == spec.stated


def test_with_seed_states_it(make):
    spec = make(reproducibility={"determinism": "strict"})
    seeded = spec.with_seed(7)
    assert spec.reproducibility.seed == 42
    assert seeded.reproducibility.seed == 7
    assert seeded.stated["reproducibility"] == {"determinism": "strict", "seed": 7}
    assert parse(seeded.stated).resolved() == seeded.resolved()


def test_a_bundled_name_a_file_and_stdin(tmp_path, monkeypatch, canonical):
    by_name, by_path = load_spec("text_llm_8b"), load_spec(examples()["text_llm_8b"])
    assert by_name.resolved() == by_path.resolved()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "edge_tiny_agent").mkdir()
    assert load_spec("edge_tiny_agent").name == "edge_tiny_agent"
    (tmp_path / "text_llm_8b").write_text(canonical)
    assert load_spec("text_llm_8b").name == "metagen_video_rt"

    class Stdin:
        buffer = (tmp_path / "text_llm_8b").open("rb")

    monkeypatch.setattr("sys.stdin", Stdin)
    assert load_spec("-").name == "metagen_video_rt"
    Stdin.buffer.close()


WORDS = st.sampled_from


@st.composite
def documents(draw):
    """Draw valid documents over every section."""
    text = st.text(
        st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=20
    )

    def some(vocabulary):
        words = [*vocabulary.words, *vocabulary.aliases, *vocabulary.also]
        return st.lists(WORDS(words), min_size=1, max_size=3)

    def maybe(**fields):
        return st.fixed_dictionaries({}, optional=fields)

    budget = st.integers(10**6, 10**12) | WORDS(["20B", "∞", "1.5T", "350 million"])
    return draw(
        st.fixed_dictionaries(
            {
                "metagen_version": st.just("1.0"),
                "name": text,
                "modality": st.fixed_dictionaries(
                    {"inputs": some(v.INPUT), "outputs": some(v.OUTPUT)}
                ),
            },
            optional={
                "description": text,
                "task": maybe(
                    type=WORDS([*v.TASK.words]), domain=text, num_classes=st.integers(2, 1000)
                ),
                "constraints": maybe(
                    latency=WORDS([*v.LATENCY.words, "batch"]),
                    device=WORDS([*v.DEVICE.words]),
                    parameter_budget=budget | st.fixed_dictionaries({"max": budget}),
                    memory_budget=WORDS(["12GB", "80GiB", 10**9]),
                    context_window=WORDS(["32k", 5000, "∞"]),
                    throughput=WORDS([30, "30fps", "1.5k tok/s"]),
                ),
                "training": maybe(objective=some(v.OBJECTIVE), data=maybe(size=text)),
                "architecture": maybe(
                    family=WORDS([*v.FAMILY.words]),
                    dims=st.dictionaries(text, st.integers(1, 10**6) | st.booleans(), max_size=3),
                ),
                "outputs": maybe(artifacts=some(v.ARTIFACT)),
                "reproducibility": maybe(seed=st.integers(0, 2**63 - 1)),
            },
        )
    )


@settings(max_examples=150, deadline=None)
@given(documents())
def test_resolving_is_idempotent_and_stable(document):
    spec = parse(document)
    resolved = spec.resolved()
    again = parse(resolved)
    assert again.resolved() == resolved
    assert json.loads(json.dumps(resolved)) == resolved
    assert parse(spec.stated).resolved() == resolved


def test_the_order_of_artifacts_says_nothing():
    one, other = (
        parse({**SMALLEST, "outputs": {"artifacts": order}})
        for order in (["paper", "model_card"], ["model_card", "paper"])
    )
    assert one.resolved() == other.resolved()
    assert set(one.outputs.artifacts) == {"paper", "model_card"}
