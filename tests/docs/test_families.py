"""The documents of every bundled specification: something to say, nothing that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from metagen import load_spec, plan
from metagen.synth import paper_gen, prose
from metagen.synth.routing import rows
from metagen.synth.topologies import TOPOLOGIES

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "specs").rglob("*.yaml"))

#: What a text model's cards say of text, and nobody else's need to.
SILENT = {"note_simulated", "limits_simulated", "faq_agi", "faq_sota", "exp_baselines"} | {
    "exp_results", "caption_results",
}  # fmt: skip
HOLE = re.compile(r"[{}]|\(n\)|\bNone\b(?! of)|  | [.,;:]|\.\.|“”")
TEXTUAL = re.compile(r"\btokens?\b|\btext\b|vocabulary|decoding|perplexity|\bcache\b")


@pytest.fixture(scope="module", params=EXAMPLES, ids=lambda path: path.stem)
def spec(request):
    return load_spec(request.param)


@pytest.fixture(scope="module", params=prose.VOICES)
def family(request, spec):
    """The release of one example in one voice."""
    return plan(spec, voice=request.param)


def test_every_paragraph_has_something_to_say(family):
    for name, text in family.prose.items():
        assert text.plain or family.voice == "plain" and name in SILENT, name


def test_sentences_are_whole(family):
    for name, text in family.prose.items():
        assert not HOLE.search(text.plain), (name, text.plain)
        assert not re.search(r"\b([A-Za-z]+) \1\b", text.plain), (name, text.plain)
        assert not text.plain or text.plain[-1] in ".”†", (name, text.plain)


def test_models_without_text_do_not_speak_of_it(family):
    modality = family.spec["modality"]
    if family.words["counted"] == "token" or "text" in [*modality["inputs"], *modality["outputs"]]:
        pytest.skip("it reads or writes text")
    free = {"card_summary", "data_motivation", "limits_data", "ethics_data", "related_diffusion"}
    for name, text in family.prose.items():
        assert name in free or not TEXTUAL.search(text.plain), (name, text.plain)


def test_abstracts_have_150_to_220_words(spec):
    for voice in prose.VOICES:
        release = plan(spec, voice=voice)
        scope = prose.sentence_words(release.spec, release.words, len(release.notes))
        abstract = prose.load_banks()["abstract"]
        for seed in range(40):
            text = prose.draw(abstract, scope, release.figures, seed, voice)
            assert 150 <= len(text.plain.split()) <= 220, (seed, text.plain)


def test_the_bibliography_is_what_is_cited(family):
    listed = {reference.key for reference in family.references}
    assert paper_gen.cited(family.prose.values()) == listed


def test_the_routed_row_is_what_documents_say(family):
    words = family.words
    assert words["metric"] and words["trivial"] and words["artifact"]
    assert words["pipeline_tag"] != "other"
    assert words["topology_id"] in TOPOLOGIES
    assert words["metric"] in family.prose["card_evaluation"].plain


def test_every_topology_is_routed_to():
    assert {row["topology"] for row in rows()} == set(TOPOLOGIES)
