"""Documents' sentences: drawn from phrase banks by seed, assembled with grammar that holds.

A bank (`phrases/*.yaml`) maps a paragraph to its sentence slots, in reading order. A slot offers
pools of sentences, one to a line: to `both` voices, to the `confident` or to the `plain` one. Each
is drawn from its slot's name, the fields that the pool reads and the seed, so that an edit redraws
only the sentences that read what was edited.

A line may open with conditions, all of which must hold: `[passes=step, precision!=bf16|fp32]`
compares words, `[kv_cache_gb, !missed]` asks that there is something, and that there is nothing.
A sentence whose placeholders have nothing to hold is never drawn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from ..utils.escaping import Prose, visible
from ..utils.seed import rng
from .release import Figure, Note

PHRASES = Path(__file__).parent / "phrases"
VOICES = ("confident", "plain")

_PLACEHOLDER = re.compile(r"\{\^?(\w+)(?: [^{}]+)?\}")
_CONDITIONS = re.compile(r"^\[(?!@)([^\]]+)\] ", re.MULTILINE)
_CONDITION = re.compile(r"(!?)(\w+)(?:(!?)=([^,]+))?")
_COUNTED = re.compile(r"\{(\w+) ([^{}]+)\}")
_CAPITAL = re.compile(r"\{\^(\w+)\}")
_ARTICLE = re.compile(r"\b([Aa])\(n\) (\*?(?:\{(\w+)\}|\w))")
_NAME_LIMIT = 48

_LATENCY = {
    "offline": "no bound on latency",
    "near-real-time": "near-real-time latency",
    "real-time": "real-time latency",
}


@dataclass(frozen=True)
class Condition:
    """What the text of one word or figure must be, or must not be; where none is named, any."""

    key: str
    wanted: tuple[str, ...] = ()
    negated: bool = False

    def holds(self, texts: Mapping[str, str]) -> bool:
        """Whether the text is the right one; a comparison with a text that is not there fails."""
        text = texts.get(self.key, "")
        if self.wanted:
            return bool(text) and (text in self.wanted) != self.negated
        return bool(text) != self.negated


@dataclass(frozen=True)
class Sentence:
    """One line of a pool: what it says, and the words or figures that it asks for."""

    line: str

    @property
    def when(self) -> tuple[Condition, ...]:
        """The conditions that the line opens with."""
        opening = self.line.startswith("[") and _CONDITIONS.match(self.line)
        if not opening:
            return ()
        return tuple(
            Condition(key, tuple(wanted.split("|")) if wanted else (), bool(without or unequal))
            for without, key, unequal, wanted in _CONDITION.findall(opening[1])
        )

    @property
    def say(self) -> str:
        """The line without them."""
        return _CONDITIONS.sub("", self.line)

    @property
    def names(self) -> frozenset[str]:
        """Keys of the words and figures that its placeholders stand for."""
        return frozenset(_PLACEHOLDER.findall(self.line))

    def applies(self, texts: Mapping[str, str]) -> bool:
        """Whether every condition holds and every placeholder has something to hold."""
        return all(condition.holds(texts) for condition in self.when) and all(
            texts.get(key, "").strip() for key in self.names
        )


@dataclass(frozen=True)
class Slot:
    """A place for one sentence; `optional` ones give way where a paragraph has a word limit."""

    name: str
    both: str = ""
    confident: str = ""
    plain: str = ""
    optional: bool = False

    def lines(self, voice: str) -> str:
        """The pool of a voice, a sentence to a line."""
        return f"{self.both}\n{self.plain if voice == 'plain' else self.confident}"

    def pool(self, voice: str) -> tuple[Sentence, ...]:
        """The sentences that a voice may draw."""
        return tuple(Sentence(line) for line in self.lines(voice).splitlines() if line)


@dataclass(frozen=True)
class Paragraph:
    """Slots in reading order, and the most words that they may come to."""

    name: str
    slots: tuple[Slot, ...]
    most_words: int | None = None


def load_banks(folder: Path = PHRASES) -> dict[str, Paragraph]:
    """Every paragraph of every bank, by name.

    Raises:
        ValueError: where a name occurs twice, or a pool is not a text.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    banks: dict[str, Paragraph] = {}
    for path in sorted(folder.glob("*.yaml")):
        for name, slots in yaml.load(path.read_text(encoding="utf-8"), loader).items():
            if name in banks:
                raise ValueError(f"{path.name}: paragraph {name!r} exists already")
            banks[name] = _paragraph(name, slots)
    return banks


def _paragraph(name: str, raw: Any) -> Paragraph:
    if isinstance(raw, str):
        raw = {"only": raw}
    limit = raw.pop("most_words", None)
    return Paragraph(name, tuple(_slot(f"{name}.{key}", raw[key]) for key in raw), limit)


def _slot(name: str, raw: Any) -> Slot:
    pools = raw if isinstance(raw, dict) else {"both": raw}
    if not all(isinstance(pool, str) for key, pool in pools.items() if key != "optional"):
        raise ValueError(f"{name}: a pool is one text with a sentence to a line")
    return Slot(name, **pools)


@dataclass(frozen=True)
class Scope:
    """What sentences may name: words and figures, by key, words before figures."""

    words: Mapping[str, str]
    figures: Mapping[str, Figure]

    @cached_property
    def texts(self) -> dict[str, str]:
        """What each key reads as."""
        return {key: figure.text for key, figure in self.figures.items()} | dict(self.words)


def assemble(
    spec: Mapping[str, Any],
    words: Mapping[str, str],
    figures: Mapping[str, Figure],
    seed: int,
    voice: str,
    notes: Iterable[Note] = (),
) -> dict[str, Prose]:
    """Every paragraph by name, empty where it has nothing to say in `voice`.

    `words` are unescaped; `sentence_words` says what is added to them.
    """
    scope = Scope(sentence_words(spec, words, len(tuple(notes))), figures)
    return {name: draw(paragraph, scope, seed, voice) for name, paragraph in load_banks().items()}


def sentence_words(spec: Mapping[str, Any], words: Mapping[str, str], notes: int) -> dict[str, str]:
    """The words as sentences use them: on one line, no closing stop, the name not too long.

    Sentences may also name the `{latency_phrase}`, the `{benchmark_phrase}` and `{baseline_phrase}`
    of the evaluation, and the number of `{notes}`.
    """
    scope = {key: visible(value).rstrip(".;, ") for key, value in words.items()}
    evaluation = spec.get("evaluation", {})
    return scope | {
        "name": shorten(scope["name"]),
        "latency_phrase": _LATENCY.get(scope["latency"], scope["latency"]),
        "benchmark_phrase": enumerated(evaluation.get("benchmarks", ())),
        "baseline_phrase": enumerated(evaluation.get("baselines", ())),
        "notes": str(notes),
    }


def enumerated(names: Iterable[str], most: int = 4) -> str:
    """A list as a sentence has it: `A`, `A and B`, `A, B, C, D and 3 others`."""
    names = [shorten(visible(name), 32) for name in names]
    rest = len(names) - most
    if rest > 0:
        names = [*names[:most], f"{rest} other" + "s" * (rest > 1)]
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def shorten(name: str, limit: int = _NAME_LIMIT) -> str:
    """A name short enough for running text: at most six words and `limit` characters."""
    short = " ".join(name.split(" ")[:6])[:limit].rstrip()
    return name if short == name else short + "…"


def draw(paragraph: Paragraph, scope: Scope, seed: int, voice: str) -> Prose:
    """One paragraph for words as `sentence_words` gives them; empty where no sentence applies."""
    chosen: list[tuple[Slot, Prose]] = []
    for slot in paragraph.slots:
        sentence = choose(slot, scope.texts, seed, voice)
        if sentence is not None:
            chosen.append((slot, bind(sentence.say, scope)))
    if paragraph.most_words:
        chosen = _fit(chosen, paragraph.most_words)
    return Prose.joined(text for _, text in chosen)


def _fit(chosen: list[tuple[Slot, Prose]], most: int) -> list[tuple[Slot, Prose]]:
    """Without as many optional sentences, from the last, as the limit asks for."""
    for slot, _ in [pair for pair in reversed(chosen) if pair[0].optional]:
        if sum(len(text.plain.split()) for _, text in chosen) <= most:
            break
        chosen = [pair for pair in chosen if pair[0] is not slot]
    return chosen


def choose(slot: Slot, texts: Mapping[str, str], seed: int, voice: str) -> Sentence | None:
    """The sentence that a slot draws, or None where none of its pool applies."""
    eligible = [sentence for sentence in slot.pool(voice) if sentence.applies(texts)]
    if len(eligible) < 2:
        return eligible[0] if eligible else None
    fields = {key: texts[key] for key in _reads(slot.lines(voice)) if key in texts}
    return rng("prose", slot.name, fields, seed).choice(eligible)


def _reads(lines: str) -> set[str]:
    """Keys of the words and figures that some sentence of a pool depends on."""
    conditions = ", ".join(_CONDITIONS.findall(lines))
    return {*_PLACEHOLDER.findall(lines), *(found[1] for found in _CONDITION.findall(conditions))}


# -- grammar ---------------------------------------------------------------------------------------


def bind(say: str, scope: Scope) -> Prose:
    """A sentence with its placeholders resolved and its articles, capitals and plurals settled.

    `a(n) {x}` becomes "a" or "an", `{^x}` opens a sentence, `{n thing}` counts ("1 thing",
    "2 things").
    """
    texts, words = scope.texts, scope.words

    def counted(match: re.Match[str]) -> str:
        key, noun = match.groups()
        return f"{{{key}}} {noun if texts[key] == '1' else plural(noun)}"

    def article(match: re.Match[str]) -> str:
        letter, following, key = match.groups()
        n = "n" if takes_an(texts[key] if key else match.string[match.end() - 1 :]) else ""
        return f"{letter}{n} {following}"

    say = _ARTICLE.sub(article, _COUNTED.sub(counted, say))
    capitals = {f"{key}_capital": capital(texts[key]) for key in _CAPITAL.findall(say)}
    if capitals:
        say, words = _CAPITAL.sub(r"{\1_capital}", say), {**words, **capitals}
    return Prose.resolve(say, words, scope.figures)


def capital(text: str) -> str:
    """`text` as a sentence opens with it."""
    return text[:1].upper() + text[1:]


def plural(noun: str) -> str:
    """The regular English plural: `heads`, `batches`, `entries`."""
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def takes_an(text: str) -> bool:
    """Whether `text` is read with a vowel first: `8.03B`, `hour`, `LLM`, but not `unit`."""
    word = (re.findall(r"[A-Za-z]+|\d[\d.,]*", text) or [""])[0]
    if word[:1].isdigit():
        whole = re.split(r"[.,]", word)[0]
        return whole.startswith("8") or whole in ("11", "18")
    if word.isupper():
        return word[0] in "AEFHILMNORSX"
    if re.match(r"(?i)(uni|us[ei]|eu|one\b|once)", word):
        return False
    return word[:1].lower() in tuple("aeiou") or word.lower().startswith(("hour", "honest", "heir"))


def sentences(banks: Mapping[str, Paragraph]) -> Iterator[tuple[Slot, Sentence]]:
    """Every sentence of every bank, with the slot that it stands in."""
    for paragraph in banks.values():
        for slot in paragraph.slots:
            for sentence in dict.fromkeys(s for voice in VOICES for s in slot.pool(voice)):
                yield slot, sentence
