"""The cards and the citation: metadata that their readers accept, questions with answers."""

from __future__ import annotations

import json
import re
from math import inf

import pytest
import yaml
from huggingface_hub import ModelCard, ModelCardData

from metagen import load_spec, plan
from metagen.specs.loader import examples
from metagen.synth.words import _PIPELINES

from . import marks
from .test_documents import HOSTILE, hostile_document, render

HUB_TASKS = frozenset(
    """
any-to-any audio-classification audio-text-to-text audio-to-audio automatic-speech-recognition
depth-estimation document-question-answering feature-extraction fill-mask graph-ml
image-classification image-feature-extraction image-segmentation image-text-to-text image-to-3d
image-to-image image-to-text image-to-video keypoint-detection mask-generation object-detection
other question-answering reinforcement-learning robotics sentence-similarity summarization
table-question-answering tabular-classification tabular-regression text-classification
text-generation text-ranking text-to-3d text-to-audio text-to-image text-to-speech text-to-video
time-series-forecasting token-classification translation unconditional-image-generation
video-classification video-text-to-text visual-document-retrieval visual-question-answering
voice-activity-detection zero-shot-classification zero-shot-image-classification
zero-shot-object-detection
""".split()
)
"""The tasks that the Hub files models under (huggingface.js, `PIPELINE_DATA`)."""
HUB_LICENSES = {"Apache-2.0": "apache-2.0", "MIT": "mit"}
FIELDS = {"language", "license", "library_name", "pipeline_tag", "model_name", "tags"}
SECTIONS = """Motivation,Composition,Collection process,"Preprocessing, cleaning, labelling",Uses,
Distribution,Maintenance"""


@pytest.fixture(scope="module", params=list(examples()))
def folder(request, tmp_path_factory):
    """The documents of one bundled specification, in a voice that takes turns."""
    voice = ("confident", "plain")[list(examples()).index(request.param) % 2]
    release = plan(load_spec(request.param), voice=voice)
    return render(release, tmp_path_factory.mktemp("cards"), license="MIT")


def assert_card(text: str, license: str) -> ModelCardData:
    """The model card's metadata are what the Hub documents, and survive being read and written."""
    card = ModelCard(text)
    written = yaml.safe_load(text.split("---")[1])
    assert card.data.to_dict() == written and written.keys() <= FIELDS
    assert card.data.license == HUB_LICENSES[license]
    assert card.data.pipeline_tag in HUB_TASKS
    assert card.data.language in (None, "en")
    assert all(isinstance(tag, str) and tag for tag in card.data.tags)
    assert card.data.eval_results is None, "no results before there are any"
    assert re.fullmatch("[a-z0-9-]+", card.data.model_name)
    assert ModelCard(str(card)).data.to_dict() == card.data.to_dict()
    return card.data


def assert_citation(text: str) -> dict:
    """What the schema of the Citation File Format 1.2.0 asks of the keys that we write."""
    citation = yaml.safe_load(text)
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation.keys() <= {
        "cff-version", "message", "type", "title", "abstract", "authors", "keywords", "license"
    }  # fmt: skip
    assert citation["cff-version"] == "1.2.0" and citation["type"] in ("software", "dataset")
    for key in ("message", "title", "abstract"):
        assert isinstance(citation.get(key, "-"), str) and citation.get(key, "-"), key
    assert [author.keys() for author in citation["authors"]] == [{"name"}]
    assert all(isinstance(author["name"], str) and author["name"] for author in citation["authors"])
    assert len(set(citation["keywords"])) == len(citation["keywords"])
    assert all(isinstance(word, str) and word for word in citation["keywords"])
    assert citation["license"] in HUB_LICENSES
    return citation


def test_cards_of_every_example(folder):
    assert_card((folder / "docs/model_card.md").read_text(encoding="utf-8"), "MIT")
    assert_citation((folder / "CITATION.cff").read_text(encoding="utf-8"))


def test_every_figure_of_markdown_is_marked(folder):
    """So that `make verify` finds it when it changes; what is left are names and constants."""
    assert marks.unmarked(folder) == []


def test_every_figure_of_the_paper_is_a_macro(folder):
    assert marks.loose(folder) == []


def test_the_data_card_answers_the_questions_of_a_datasheet(folder):
    card = (folder / "docs/data_card.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (.+)\n\n([\s\S]+?)(?=\n## |\Z)", card, re.MULTILINE))
    assert ",".join(sections) == re.sub(r'["\n]', "", SECTIONS)
    for name, text in sections.items():
        for answer in re.findall(r"^\*\*.+?\?\*\*(.*)$", text, re.MULTILINE):
            assert answer.strip().endswith((".", "”")), name
        assert text.count("**") >= 2, name


def test_governance_is_quoted(release_of, tmp_path):
    governance = {"pii": "we tried twice", "copyright": "mostly, on the whole"}
    release = release_of(training={"data": {"governance": governance}})
    card = (render(release, tmp_path) / "docs/data_card.md").read_text(encoding="utf-8")
    assert all(words in card for words in governance.values())


@pytest.mark.parametrize("voice", ["confident", "plain"])
def test_hostile_words_break_no_metadata(release_of, voice, tmp_path):
    author = "- 'a': \"b\" #c\n\u202e"
    release = release_of(voice, **hostile_document())
    folder = render(release, tmp_path, author=author)
    assert_card((folder / "docs/model_card.md").read_text(encoding="utf-8"), "Apache-2.0")
    citation = assert_citation((folder / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["abstract"] == HOSTILE and citation["authors"] == [{"name": author}]
    summary = json.loads((folder / "docs/summary.json").read_text(encoding="utf-8"))
    assert summary["name"] == summary["description"] == HOSTILE


def test_every_task_is_one_that_the_hub_knows():
    assert {tag for *_, tag in _PIPELINES} <= HUB_TASKS


def test_what_was_approximated_stands_in_card_and_limitations(tmp_path):
    folder = render(plan(load_spec("taste_generation")), tmp_path)
    for name in ("model_card", "limitations"):
        assert "aste is approximated" in (folder / f"docs/{name}.md").read_text(encoding="utf-8")


def test_the_summary_repeats_the_ledger(release, tmp_path):
    folder = render(release, tmp_path)
    summary = json.loads((folder / "docs/summary.json").read_text(encoding="utf-8"))
    for key, entry in summary["figures"].items():
        figure = release.figures[key]
        value = "∞" if figure.value == inf else figure.value
        assert entry == {name: getattr(figure, name) for name in entry} | {"value": value}
        assert entry.keys() == {"value", "unit", "text", "provenance"}
    assert {"total_params", "peak_memory_gb", "bench_mean"} <= summary["figures"].keys()
    assert summary["seed"] == release.seed and summary["spec_id"] == release.spec_id


def test_what_was_measured_is_linked(folder):
    for name in ("model_card", "eval_report"):
        assert "(measured.md)" in (folder / f"docs/{name}.md").read_text(encoding="utf-8")


def test_another_description_leaves_the_seal_alone(release_of, tmp_path):
    """A seal follows the figures: no checksum is of words that an author may put otherwise."""
    seals = []
    for words in ("A thing of beauty", "Something with 7 lives"):
        folder = render(release_of(description=words), tmp_path / words)
        seals.append((folder / "blueprint/seal.json").read_text(encoding="utf-8"))
    assert seals[0] == seals[1]
