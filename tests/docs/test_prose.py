"""Sentences: no holes, no doubled words, right articles, reproducible, and none out of reach."""

from __future__ import annotations

import re
from itertools import combinations

import pytest

from metagen.specs.loader import parse
from metagen.synth import prose
from metagen.synth.engine import plan
from metagen.synth.release import Figure
from metagen.utils.escaping import Prose, md, tex

from ..engine.random_specs import draw as random_document
from ..survival.hostile import Marked, poisoned
from .examples import PATHS, abstract, banks, example, scope_of, shared
from .grammar import faults

#: The least that a document can state, for tokens and for samples.
BARE = {"metagen_version": "1.0", "name": "bare"}
SIDES = {"inputs": ["text"], "outputs": ["text"]}, {"inputs": ["tabular"], "outputs": ["value"]}
#: Seeds of random documents that take a moment to plan.
QUICK = (0, 1, 2, 4, 5, 6, 7, 8)
#: Releases whose abstracts are drawn under many seeds: text, pictures, control, graphs, the absurd.
SEEDED = (
    "text_llm_8b", "image_diffusion_sdxl_like", "rl_agent_ppo", "graph_nodes_gcn",
    "taste_generation",
)  # fmt: skip


def figure(key: str, text: str) -> Figure:
    return Figure(key, 0, "", text, "computed", "test")


def all_text(release) -> dict[str, str]:
    return {name: text.plain for name, text in release.prose.items()}


def test_paragraphs_are_whole(releases):
    for release in releases:
        for name, text in release.prose.items():
            assert not faults(text), name


def test_faults_are_found():
    def of(said: str) -> list[str]:
        return [fault.split(":")[0] for fault in faults(prose.bind(said, prose.Scope({}, {})))]

    assert of("A model of an image, in 11 parts. It is the 1 layer of an 8B model.") == []
    assert of("It reads “”.") == of("It is {x.") == of("None was found.") == ["hole"]
    assert of("Two  spaces.") == of("A space .") == ["spacing"]
    assert of("It is is there.") == ["doubled word"]
    assert of("It is a image.") == of("It has a 8B model.") == ["a for an"]
    assert of("It is an picture.") == ["an for a"]
    assert of("It has 1 layers.") == ["one of many"]
    assert of("it begins.") == of("One. two.") == ["small letter"]
    assert of("It ends") == ["no stop"]


@pytest.mark.parametrize("voice", prose.VOICES)
def test_abstracts_have_150_to_220_words(voice, shape, release_of):
    release = release_of(voice, constraints=shape)
    for seed in range(60):
        words = len(abstract(release, seed).split())
        assert 150 <= words <= 220, (seed, words)


@pytest.mark.parametrize(
    "seed", [n if n in QUICK else pytest.param(n, marks=pytest.mark.full) for n in range(100)]
)
def test_random_and_hostile_specs_have_whole_documents(seed):
    """Any modality, budget and task, with an attack in every free text."""
    document, _ = random_document(seed)
    spec = parse(poisoned(document, Marked(seed)))
    for voice in prose.VOICES:
        release = plan(spec, voice=voice)
        for name, text in release.prose.items():
            assert not faults(text), name
        assert 150 <= len(release.prose["abstract"].plain.split()) <= 220


def far_apart(abstracts: list[str]) -> bool:
    """Whether fewer than one pair in a hundred shares more than half of its word 5-grams."""
    shares = [shared(*pair) for pair in combinations(abstracts, 2)]
    return max(shares) < 1 and sum(share > 0.5 for share in shares) < 0.01 * len(shares)


@pytest.mark.parametrize("voice", prose.VOICES)
@pytest.mark.parametrize("name", SEEDED)
def test_seeds_say_it_differently(name, voice):
    release = example(name, voice)
    assert far_apart([abstract(release, seed) for seed in range(50)])


@pytest.mark.parametrize("voice", prose.VOICES)
def test_specifications_have_abstracts_of_their_own(voice):
    assert far_apart([example(name, voice).prose["abstract"].plain for name in PATHS])


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


def test_every_sentence_is_drawn_by_some_seed(release_of, shapes):
    """A sentence that no release can draw has a condition that never holds."""
    missing = {"parameter_budget": {"max": "10M"}}, {"dims": {"n_layers": 12, "d_model": 768}}
    for voice in prose.VOICES:
        tried = [example(name, voice) for name in PATHS]
        tried += [release_of(voice, constraints=shape) for shape in shapes]
        tried.append(release_of(voice, constraints=missing[0], architecture=missing[1]))
        tried += [plan(parse(BARE | {"modality": each}), voice=voice) for each in SIDES]
        texts = [scope_of(release).texts for release in tried]
        texts.append(texts[0] | {"bench_lost": "0"} if voice == "confident" else texts[0])
        for paragraph in banks().values():
            for slot in paragraph.slots:
                undrawn = unreachable(slot, voice, texts)
                assert not undrawn, (slot.name, undrawn)


def unreachable(slot, voice, texts) -> set[str]:
    """The sentences of a pool that no seed under 200 draws for any of some releases."""
    left = {sentence.line: sentence for sentence in slot.pool(voice)}
    while left:
        sentence = next(iter(left.values()))
        fitting = [each for each in texts if sentence.applies(each)]
        drawn = (prose.choose(slot, each, seed, voice) for seed in range(200) for each in fitting)
        seen = len(left)
        for found in drawn:
            left.pop(found.line, None)
            if sentence.line not in left:
                break
        if len(left) == seen:
            break
    return set(left)


def test_conditions():
    texts = {"a": "1", "b": "two words", "none": ""}

    def applies(line: str) -> bool:
        return prose.Sentence(line).applies(texts)

    assert applies("[a=1] Yes.") and applies("[a=2|1, b=two words] Yes.") and applies("[a] Yes.")
    assert applies("[a!=2|3, !none, !unknown] Yes.") and applies("[@cited] {a}.")
    assert not any(map(applies, ("[a!=1] No.", "[none] No.", "[!a] No.", "[unknown!=1] No.")))
    assert not applies("[a=1] {none}.") and not applies("[a=1] {unknown}.")
    assert prose.Sentence("[a=1, !b] Say [@this].").say == "Say [@this]."


def test_grammar():
    figures = {"n": figure("n", "1"), "m": figure("m", "12"), "p": figure("p", "8.03B")}
    words = {"x": "hour", "y": "unit", "z": "open question"}

    def say(text: str) -> str:
        return prose.bind(text, prose.Scope(words, figures)).plain

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
    slot = prose.Slot("s", "{nothing_like_it}\n")
    assert prose.choose(slot, {"a": "b"}, 1, "plain") is None
    with pytest.raises(KeyError):
        prose.bind("{nothing_like_it}", prose.Scope({}, {}))


def test_paragraph_names_are_unique(tmp_path):
    (tmp_path / "a.yaml").write_text("p: {only: One.}\n")
    (tmp_path / "b.yaml").write_text("p: {only: Two.}\n")
    with pytest.raises(ValueError, match="exists already"):
        prose.load_banks(tmp_path)


def test_a_list_is_no_pool(tmp_path):
    (tmp_path / "a.yaml").write_text("p: {slot: [One., Two.]}\n")
    with pytest.raises(ValueError, match="a sentence to a line"):
        prose.load_banks(tmp_path)


def test_optional_sentences_give_way():
    text = prose.bind("one two three", prose.Scope({}, {}))
    slots = [prose.Slot(n, optional=n != "a") for n in "abc"]
    kept = prose._fit([(slot, text) for slot in slots], 7)
    assert [slot.name for slot, _ in kept] == ["a", "b"]


def test_the_plain_voice_quotes_no_tone_that_nobody_stated():
    words = {"governance": {"pii": "removed by hand"}}
    for side in SIDES:
        silent, spoken = (
            plan(parse(BARE | {"modality": side} | training), voice="plain")
            for training in ({}, {"training": {"data": words}})
        )
        said = " ".join(all_text(silent).values())
        for tone in ("we tried", "mostly", "unknown but large", "harmless-ish", "aspirational"):
            assert tone not in said
        assert "removed by hand" in " ".join(all_text(spoken).values())
        assert "we tried" in all_text(plan(parse(BARE | {"modality": side})))["data_pii"]
