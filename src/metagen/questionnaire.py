"""What Copier knows before, and while, its questions are asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import answers
from .specs.errors import Problem, SpecError
from .specs.loader import load_spec, parse
from .specs.schema import ModelSpec
from .specs.upgrades import upgraded

FIELDS = tuple(ModelSpec.model_fields)


class Questionnaire:
    """One render's base: data, else the project's `spec.yaml`, else what was stated last time.

    `given` are the top-level keys that came as data; their questions are not asked. In the last
    render of an update the merged answers come back as data: there `data["spec"]` is the truth
    and the questions have nothing to add.
    """

    def __init__(self, data: Mapping[str, Any], project: Path, context: Mapping[str, Any]) -> None:
        """Read everything once.

        Raises:
            SpecError: the document or an answer that came as data is refused.
        """
        self._drafts: dict[str, answers.Draft] = {}
        self._repository = {k: context[k] for k in answers.REPOSITORY if k in context}
        settled = isinstance(data.get("spec"), Mapping)
        if settled:
            self.given = frozenset(data["spec"])
            self._explicit: frozenset[str] = frozenset()
            self._stated, self._source = dict(data["spec"]), "answers"
        else:
            given = {k: v for k, v in data.items() if k in FIELDS}
            given |= {k: data[k] for k in answers.unknown_keys(data, FIELDS)}
            given = upgraded(given)
            self.given = frozenset(given)
            self._explicit = frozenset(q for q in answers.QUESTIONS if q in data)
            stored = {k: context[k] for k in FIELDS if k in context and k not in given}
            self._stated, self._source = _previous(project, stored)
            if given:
                self._stated, self._source = self._stated | given, "answers"
        if not settled:
            self._refuse(data)

    def draft(self, asked: Mapping[str, Any]) -> answers.Draft:
        """The specification under the `q_*` among `asked`, computed once for equal answers."""
        spoken = {q: asked[q] for q in answers.QUESTIONS if q in asked}
        key = repr(spoken)
        if key not in self._drafts:
            self._drafts[key] = answers.draft(
                self._stated,
                spoken,
                lambda stated: parse(stated, self._source).resolved(),
                explicit=self._explicit,
                given=self.given,
            )
        return self._drafts[key]

    def problem(self, question: str, asked: Mapping[str, Any]) -> str:
        """What is wrong with the answer to `question`, on one line; empty when nothing is.

        A repository-level answer that was accepted once stays accepted: Copier would replace it by
        the default, and a package that changes its name leaves its files behind.
        """
        if question in answers.QUESTIONS:
            error = self.draft(asked).problems.get(question)
            return answers.short(error) if error else ""
        if asked[question] == self._repository.get(question):
            return ""
        return answers.repository_problem(question, asked[question])

    def _refuse(self, data: Mapping[str, Any]) -> None:
        """Refuse at once what Copier would answer with a traceback."""
        spoken = {q: answers.listed(q, data[q]) for q in self._explicit}
        refused = self.draft(spoken).problems
        problems = [problem for error in refused.values() for problem in error.problems]
        for question in answers.REPOSITORY:
            if question in data and (text := answers.repository_problem(question, data[question])):
                problems.append(Problem(question, text))
        if "spec" in data:
            problems.append(Problem("spec", "is not a question", "its fields, or a data file"))
        if problems:
            raise SpecError(problems, self._source)


def _previous(project: Path, stored: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """What the project states today, and where; `SYNOPSIS` where it states nothing."""
    document = project / "spec.yaml"
    if document.is_file():
        return load_spec(document).stated, "spec.yaml"
    return upgraded(stored) or dict(answers.SYNOPSIS), "answers"
