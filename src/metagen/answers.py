"""What Copier's answers mean: which belong to the specification, which to the repository.

A specification arrives as nested top-level keys (data file, `spec.yaml`, answers file) or question
by question (`q_*`). What is left at its inferred default states nothing: it is inferred afresh
whenever something else changes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .package_names import package_problem
from .specs import vocabulary
from .specs.errors import SpecError

SYNOPSIS = {
    "metagen_version": "1.0",
    "name": "my_model",
    "modality": {"inputs": ["text"], "outputs": ["text"]},
}
"""What a questionnaire starts from: the fields that every specification states."""

QUESTIONS: Mapping[str, tuple[str, ...]] = {
    "q_name": ("name",),
    "q_description": ("description",),
    "q_inputs": ("modality", "inputs"),
    "q_outputs": ("modality", "outputs"),
    "q_device": ("constraints", "device"),
    "q_latency": ("constraints", "latency"),
    "q_parameter_budget": ("constraints", "parameter_budget", "max"),
    "q_memory_budget": ("constraints", "memory_budget"),
    "q_context_window": ("constraints", "context_window"),
    "q_artifacts": ("outputs", "artifacts"),
}
"""The transient questions, in the order they are asked, and the field that each one states."""

CHOICES: Mapping[str, vocabulary.Vocabulary] = {
    "q_inputs": vocabulary.INPUT,
    "q_outputs": vocabulary.OUTPUT,
    "q_device": vocabulary.DEVICE,
    "q_latency": vocabulary.LATENCY,
    "q_artifacts": vocabulary.ARTIFACT,
}

MULTIPLE = ("q_inputs", "q_outputs", "q_artifacts")

REPOSITORY: Mapping[str, tuple[str, ...]] = {
    "package_name": (),
    "author": (),
    "license": ("Apache-2.0", "MIT"),
    "voice": ("confident", "plain"),
}
"""The answers that stay with a repository, and the values that they may take where few."""


@dataclass(frozen=True)
class Draft:
    """A specification while it is being asked for.

    `stated` is what has been said so far, `resolved` what it amounts to; `problems` maps a question
    to why its answer is refused (such an answer is not part of `stated`).
    """

    stated: Mapping[str, Any]
    resolved: Mapping[str, Any]
    problems: Mapping[str, SpecError] = field(default_factory=dict)


def draft(
    stated: Mapping[str, Any],
    answers: Mapping[str, Any],
    resolve: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    *,
    explicit: Collection[str] = (),
    given: Collection[str] = (),
) -> Draft:
    """Lay the `q_*` among `answers` over `stated`, in the order they are asked.

    An `explicit` answer always counts; any other only where its top-level key was not `given` as
    data and where it differs from the default that the question offered.

    Raises:
        SpecError: `stated` itself is refused.
    """
    resolved = resolve(stated)
    problems: dict[str, SpecError] = {}
    for question, path in QUESTIONS.items():
        if question not in answers:
            continue
        asked = question in explicit
        if not asked and (path[0] in given or _same(answers[question], offer(question, resolved))):
            continue
        candidate = put(stated, path, answers[question])
        try:
            resolved = resolve(candidate)
        except SpecError as error:
            problems[question] = error
        else:
            stated = candidate
    return Draft(in_order_of(stated, resolved), resolved, problems)


def offer(question: str, resolved: Mapping[str, Any]) -> Any:
    """The default of `question`: the resolved field, without words that cannot be chosen.

    Empty where the field is absent by nature, such as the context window of an image.
    """
    value: Any = resolved
    for key in QUESTIONS[question]:
        value = value.get(key, "")
    if isinstance(value, list | tuple):
        return [word for word in CHOICES[question].words if word in value]
    return value


def _same(answer: Any, offered: Any) -> bool:
    """Whether an answer is what was offered; Copier reorders multiple choices."""
    if isinstance(offered, list):
        return isinstance(answer, list | tuple) and set(answer) == set(offered)
    return str(answer).strip() == str(offered)


def listed(question: str, answer: Any) -> Any:
    """A multiple choice as it arrives from `-d q_inputs='[text, image]'`, as a list of words."""
    if question in MULTIPLE and isinstance(answer, str):
        return [word.strip(" '\"") for word in answer.strip(" []").split(",") if word.strip()]
    return answer


def put(document: Mapping[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """A copy of `document` in which `path` holds `value`."""
    head, rest = path[0], path[1:]
    if rest:
        inner = document.get(head)
        value = put(inner if isinstance(inner, Mapping) else {}, rest, value)
    return {**document, head: value}


def in_order_of(document: Any, model: Any) -> Any:
    """`document` with the keys of every mapping in the order in which `model` has them."""
    if not (isinstance(document, Mapping) and isinstance(model, Mapping)):
        return document
    rank = {key: position for position, key in enumerate(model)}
    keys = sorted(document, key=lambda key: rank.get(key, len(rank)))
    return {key: in_order_of(document[key], model.get(key)) for key in keys}


def stated_in(answers: Mapping[str, Any]) -> dict[str, Any]:
    """The stated specification in the contents of an answers file."""
    return {k: v for k, v in answers.items() if not k.startswith("_") and k not in REPOSITORY}


def choices(question: str) -> str:
    """The choices of `question` as Copier wants them: a list of label and value, in JSON."""
    words = CHOICES[question].words if question in CHOICES else dict.fromkeys(REPOSITORY[question])
    labelled = [
        [f"{word}: {meaning}" if meaning else word, word] for word, meaning in words.items()
    ]
    return json.dumps(labelled, ensure_ascii=False)


def short(error: SpecError) -> str:
    """The first problem on one line, for a prompt: what is wrong and what is allowed."""
    problem = error.problems[0]
    parts = [problem.message, problem.allowed and f"allowed: {problem.allowed}"]
    if problem.suggestion:
        parts.append(f'did you mean "{problem.suggestion}"?')
    return "; ".join(filter(None, parts))


def repository_problem(question: str, answer: Any) -> str:
    """What is wrong with a repository-level answer; empty when nothing is."""
    text = str(answer)
    if question == "package_name":
        return package_problem(text)
    if REPOSITORY[question] and text not in REPOSITORY[question]:
        return f'"{text}" is not one of {", ".join(REPOSITORY[question])}'
    if not text.isprintable() or not text.strip() or len(text) > 200:
        return "use one line of 1 to 200 printable characters"
    return ""


def unknown_keys(data: Iterable[str], fields: Collection[str]) -> list[str]:
    """The keys of `data` that are neither Copier's, nor questions, nor fields of a document."""
    known = {*fields, *QUESTIONS, *REPOSITORY, "spec"}
    return [key for key in data if not key.startswith("_") and key not in known]
