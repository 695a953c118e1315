"""Sentences: no holes, no doubled words, right articles, reproducible, and none out of reach."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from metagen import load_spec, plan
from metagen.synth import prose
from metagen.synth.release import Figure
from metagen.synth.routing import route
from metagen.synth.topologies import TOPOLOGIES
from metagen.utils.escaping import Prose, md, tex

EXAMPLES = Path(__file__).parents[2] / "examples" / "specs"
HOLE = re.compile(r"[{}]|\(n\)|\bNone\b(?! of)|  | [.,;:]|\.\.|“”")
VOWEL_SOUND = re.compile(r"\b[Aa] (?:8|11\b|18\b|[aeio]|NVIDIA|LLM)")
CONSONANT_SOUND = re.compile(r"\b[Aa]n (?:[1-79]|[bcdfgjklmnpqrstvwxyz]|Jetson|RTX \d)")


def figure(key: str, text: str) -> Figure:
    return Figure(key, 0, "", text, "computed", "test")


def all_text(release) -> dict[str, str]:
    return {name: text.plain for name, text in release.prose.items()}


def test_no_holes_and_no_doubled_words(releases):
    for release in releases:
        for name, text in all_text(release).items():
            assert not HOLE.search(text), (name, text)
            doubled = re.search(r"\b([A-Za-z]+) \1\b", text)
            assert not doubled, (name, doubled)
            assert not text or text[-1] in ".”†", (name, text)


def test_articles_fit_what_follows(releases):
    for release in releases:
        for name, text in all_text(release).items():
            assert not VOWEL_SOUND.search(text), (name, text)
            assert not CONSONANT_SOUND.search(text), (name, text)


@pytest.mark.parametrize("voice", prose.VOICES)
def test_abstracts_have_150_to_220_words(voice, shape, release_of):
    release = release_of(voice, constraints=shape)
    scope = prose.sentence_words(release.spec, release.words, 0)
    abstract = prose.load_banks()["abstract"]
    for seed in range(60):
        text = prose.draw(abstract, scope, release.figures, seed, voice)
        assert 150 <= len(text.plain.split()) <= 220, (seed, len(text.plain.split()))


def test_a_long_name_does_not_stretch_the_abstract(release_of):
    name = " ".join(["very"] * 10 + ["long" * 12])
    for seed in range(10):
        release = release_of(seed=seed, name=name)
        assert 150 <= len(release.prose["abstract"].plain.split()) <= 220


def test_abstracts_use_the_blueprint(releases):
    for release in releases:
        keys = {piece.key for piece in release.prose["abstract"].pieces if piece.kind == "figure"}
        assert {"total_params", "d_model", "constraints_total"} & keys >= {
            "total_params",
            "d_model",
        }
        assert keys & {"peak_memory_gb", "kv_cache_gb", "weights_gb"}
        if release.words["given_up"] != "nothing":
            assert release.words["given_up"].rstrip(".") in release.prose["abstract"].plain


def test_plain_voice_has_no_simulated_figure_and_no_dagger(releases):
    for release in releases:
        if release.voice == "plain":
            text = " ".join(all_text(release).values())
            assert "†" not in text and "simulated" not in text.lower()
            assert "social construct" not in text
            assert not any(f.provenance == "simulated" for f in release.figures.values())


def test_the_same_inputs_draw_the_same_prose(release):
    again = prose.assemble(release.spec, release.words, release.figures, 42, "confident")
    assert again == dict(release.prose)
    assert [md(t) for t in again.values()] == [md(t) for t in release.prose.values()]
    other = prose.assemble(release.spec, release.words, release.figures, 43, "confident")
    assert other["abstract"] != again["abstract"]


def test_an_edit_redraws_only_what_reads_it(release, release_of, shapes):
    edited = release_of(constraints=shapes[1], description="Something else entirely.")
    changed = {
        name for name in release.prose if release.prose[name].plain != edited.prose[name].plain
    }
    assert changed == {"card_summary"}


def test_every_sentence_is_reachable(release_of, shapes):
    """A sentence that no release can draw is a condition that never holds."""
    banks = prose.load_banks()
    wanted = {
        (voice, slot.name, sentence.say)
        for slot, sentence in prose.sentences(banks)
        for voice in prose.VOICES
        if sentence in slot.pool(voice)
        and {"!", *TOPOLOGIES}.intersection(prose_topologies(sentence))
    }
    tried = [*shapes, {"parameter_budget": {"max": "30B"}, "memory_budget": "64GB"}]
    for voice in prose.VOICES:
        releases = [release_of(voice, constraints=s, description="A parrot.") for s in tried]
        for release in (*releases, *one_of_each_topology(voice)):
            scope = prose.sentence_words(release.spec, release.words, 0)
            texts = {k: f.text for k, f in release.figures.items()} | scope
            variants = [
                texts,
                texts | {"bench_lost": "0"} if voice == "confident" else texts,
                texts | {"spec_fidelity_1": "0.800"},
            ]
            for paragraph in banks.values():
                open_slots = {(voice_, name) for voice_, name, _ in wanted}
                for slot in paragraph.slots:
                    if (voice, slot.name) not in open_slots:
                        continue
                    for variant in variants:
                        for seed in range(50):
                            drawn = prose.choose(slot, variant, seed, voice)
                            if drawn:
                                wanted.discard((voice, slot.name, drawn.say))
                            if not drawn or len(slot.pool(voice)) == 1:
                                break
    assert not wanted


def prose_topologies(sentence) -> set[str]:
    """The topologies that a sentence is for; `!` where it is for any, or all but some."""
    named = sentence.when.get("topology_id", ("!",))
    return {"!" if name.startswith("!") else name for name in named}


def one_of_each_topology(voice):
    """The release of the first bundled specification of every topology."""
    specs = {}
    for path in sorted(EXAMPLES.rglob("*.yaml")):
        spec = load_spec(path)
        mixed = any(c.type == "mixture_of_experts" for c in spec.architecture.components)
        specs.setdefault((route(spec)[0].id, mixed), spec)
    return [plan(spec, voice=voice) for spec in specs.values()]


def test_grammar():
    figures = {"n": figure("n", "1"), "m": figure("m", "12"), "p": figure("p", "8.03B")}
    words = {"x": "hour", "y": "unit", "z": "open question"}

    def say(text: str) -> str:
        return prose.bind(text, words, figures).plain

    assert say("{n layer}, {m layer}, {m batch}, {m key–value query}.") == (
        "1 layer, 12 layers, 12 batches, 12 key–value queries."
    )
    assert say("A(n) {x}, a(n) {y}, a(n) {z}, a(n) *{p}* model.") == (
        "An hour, a unit, an open question, an 8.03B model."
    )
    assert say("{^z}: a(n) apple.") == "Open question: an apple."
    assert [prose.takes_an(t) for t in ("11.5B", "18,000", "118", "NVIDIA", "RTX", "H100")] == [
        True, True, False, True, True, True,
    ]  # fmt: skip
    assert [prose.takes_an(t) for t in ("Jetson", "European", "one", "16-core", "")] == [False] * 5


def test_lists_and_short_names():
    assert prose.enumerated(["A"]) == "A"
    assert prose.enumerated(["A", "B", "C"]) == "A, B and C"
    assert prose.enumerated("ABCDEF") == "A, B, C, D and 2 others"
    assert prose.enumerated([]) == ""
    assert prose.shorten("a" * 100) == "a" * 48 + "…"


def test_hostile_words_are_inert_in_every_paragraph(release):
    words = {key: "{total_params} \\input{x} <!--=d--> `a` *b*" for key in release.words}
    for name, text in prose.assemble(release.spec, words, release.figures, 1, "confident").items():
        assert isinstance(text, Prose)
        marks = re.findall(r"<!--=(\w+)-->", md(text))
        assert marks == [p.key for p in text.pieces if p.kind == "figure"], name
        assert r"\input" not in tex(text)


def test_an_unknown_placeholder_drops_the_sentence():
    slot = prose.Slot("s", (prose.Sentence("{nothing_like_it}", {}),), (), ())
    assert prose.choose(slot, {"a": "b"}, 1, "plain") is None
    with pytest.raises(KeyError):
        prose.bind("{nothing_like_it}", {}, {})


def test_paragraph_names_are_unique(tmp_path):
    (tmp_path / "a.yaml").write_text("p: [One.]\n")
    (tmp_path / "b.yaml").write_text("p: [Two.]\n")
    with pytest.raises(ValueError, match="exists already"):
        prose.load_banks(tmp_path)


def test_optional_sentences_give_way():
    text = prose.bind("one two three", {}, {})
    slots = [prose.Slot(n, (), (), (), optional=n != "a") for n in "abc"]
    kept = prose._fit([(slot, text) for slot in slots], 7)
    assert [slot.name for slot, _ in kept] == ["a", "b"]
    assert replace(slots[0], optional=True).optional
