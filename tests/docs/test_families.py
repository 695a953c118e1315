"""The documents of every bundled specification: something to say, nothing that is not there."""

from __future__ import annotations

import re

import pytest

from metagen.synth import paper_gen, prose
from metagen.synth.routing import ROWS
from metagen.synth.topologies import TOPOLOGIES
from metagen.synth.words import SUBJECTS

from .examples import PATHS, abstract, could_say, example, scope_of
from .grammar import faults

#: What a text model's cards say of text, and nobody else's need to.
SILENT = {"note_simulated", "limits_simulated", "faq_agi", "faq_sota", "exp_baselines"} | {
    "exp_results", "caption_results",
}  # fmt: skip
#: How many different words and figures each part of the documents names at least.
SECTIONS = {
    "abstract": 10, "intro": 5, "related": 1, "method": 8, "exp_": 8, "lim_": 2, "ethics": 7,
    "readme": 8, "card": 12, "data": 6, "limits": 5,
}  # fmt: skip
TEXTUAL = re.compile(r"\btokens?\b|\btext\b|vocabulary|decoding|perplexity|\bcache\b")


@pytest.fixture(params=[(name, voice) for name in PATHS for voice in prose.VOICES], ids="-".join)
def family(request):
    """The release of one example in one voice."""
    return example(*request.param)


def test_every_paragraph_has_something_to_say(family):
    for name, text in family.prose.items():
        assert text.plain or family.voice == "plain" and name in SILENT, name


def test_every_sentence_that_could_be_drawn_is_whole(family):
    scope = scope_of(family)
    for slot, sentence in could_say(family):
        assert not faults(prose.bind(sentence.say, scope)), slot.name


def test_paragraphs_are_whole(family):
    for name, text in family.prose.items():
        assert not faults(text), name


def test_models_without_text_do_not_speak_of_it(family):
    modality = family.spec["modality"]
    if family.words["counted"] == "token" or "text" in [*modality["inputs"], *modality["outputs"]]:
        pytest.skip("it reads or writes text")
    free = ("card_summary", "data_motivation", "limits_data", "ethics_data", "related_")
    scope = scope_of(family)
    for slot, sentence in could_say(family):
        if not slot.name.startswith(free):
            said = prose.bind(sentence.say, scope).plain
            assert not TEXTUAL.search(said), (slot.name, said)


def test_abstracts_have_150_to_220_words(family):
    for seed in range(40):
        text = abstract(family, seed)
        assert 150 <= len(text.split()) <= 220, (seed, text)


def test_sections_name_what_is_special_about_the_model(family):
    for section, least in SECTIONS.items():
        named = {
            piece.key
            for name, text in family.prose.items()
            for piece in text.pieces
            if name.startswith(section) and piece.kind in ("figure", "word")
        }
        assert len(named - {"name", "seed"}) >= least, (section, named)


def test_the_bibliography_is_what_is_cited(family):
    listed = {reference.key for reference in family.references}
    assert paper_gen.cited(family.prose.values()) == listed


def test_what_could_be_cited_is_in_the_library(family):
    library, scope = set(paper_gen.load_library()), scope_of(family)
    for slot, sentence in could_say(family):
        said = prose.bind(sentence.say, scope)
        assert paper_gen.cited([said]) <= library, (slot.name, sentence.say)


def test_the_routed_row_is_what_documents_say(family):
    words = family.words
    assert words["metric"] and words["trivial"] and words["artifact"]
    assert words["pipeline_tag"] != "other"
    assert words["topology_id"] in TOPOLOGIES
    assert words["metric"] in family.prose["card_evaluation"].plain


def test_every_topology_is_routed_to():
    assert {row["topology"] for row in ROWS} == set(TOPOLOGIES)


def test_every_topology_has_one_subject():
    assert sorted(name for names in SUBJECTS.values() for name in names) == sorted(TOPOLOGIES)
