"""Answers into a specification, a specification into what templates see: Copier's side of MetaGen.

Copier loads this file by path from the template's checkout, once per render, and calls the hook
whenever it renders a string. While questions are asked it offers

- `mg_offer`: the default of each `q_*` question, inferred from the answers so far,
- `mg_given`: the top-level keys that came as data, whose questions are not asked,
- `mg_choices`, `mg_problem`: the choices of a question, and what is wrong with its answer,
- `mg_package`: a package name made from the model's name,
- `mg_spec()`: the stated specification, the transient last answer.

Once that answer is there it offers `mg` (the `Release`), `mg_stated`, `mg_answers` (the contents
of the answers file) and `fig`. `mg.artifacts` is a contract with other versions of the template:
an update renders the old version with the new one's exclusions.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import jinja2
from copier.errors import UserMessageError
from copier_template_extensions import ContextHook

HOME = Path(__file__).resolve().parent
ORIGIN = ("_commit", "_src_path")


class MetagenHook(ContextHook):
    """One render's memory of the questionnaire and of the release planned from it.

    Copier calls the hook hundreds of times with the same answers, so everything is computed once.
    It reads `data` and `dst_path` of `_copier_conf` and nothing else there: reading `answers_file`
    renders a string, which would come back here.
    """

    def __init__(self, environment: jinja2.Environment) -> None:
        super().__init__(environment)
        self._engine: ModuleType | None = None
        self._questions: Any = None
        self._planned: tuple[Any, dict[str, Any]] = (None, {})

    def hook(self, context: dict[str, Any]) -> None:
        """Put MetaGen's names into `context`.

        Raises:
            UserMessageError: the specification, or an answer that came as data, is refused; on
                every call, since Copier swallows what happens while it validates stored answers.
        """
        engine, ready = context["_copier_conf"]["data"].get("_metagen", (self._engine, None))
        if self._engine is None:
            self._engine = engine or load_engine(HOME)
            self.environment.filters.update(self._module("utils.filters").FILTERS)
            self.environment.bytecode_cache = code_cache(self._engine)
        try:
            if str(context["_copier_phase"]) == "prompt":
                self._offer_questions(context)
            elif "spec" in context:
                self._offer_release(context, ready)
        except self._module("specs.errors").SpecError as error:
            raise UserMessageError(str(error)) from None

    def _module(self, name: str) -> ModuleType:
        return import_module(f"{self._engine.__name__}.{name}")

    def _offer_questions(self, context: dict[str, Any]) -> None:
        answers = self._module("answers")
        if self._questions is None:
            conf = context["_copier_conf"]
            questionnaire = self._module("questionnaire").Questionnaire
            self._questions = questionnaire(conf["data"], Path(conf["dst_path"]), context)
        questions = self._questions
        draft = questions.draft(context)
        context["mg_offer"] = {q: answers.offer(q, draft.resolved) for q in answers.QUESTIONS}
        context["mg_given"] = questions.given
        context["mg_choices"] = answers.choices
        context["mg_package"] = self._module("package_names").package_from(draft.resolved["name"])
        context["mg_problem"] = lambda question: questions.problem(question, context)
        context["mg_spec"] = lambda: _settled(draft)

    def _offer_release(self, context: dict[str, Any], ready: Any) -> None:
        asked = (context["spec"], context["voice"])
        if self._planned[0] != asked:
            answers = self._module("answers")
            spec = self._module("specs.loader").parse(context["spec"], "answers")
            release = ready or self._module("synth.engine").plan(spec, voice=context["voice"])
            stated = answers.in_order_of(spec.stated, spec.resolved())
            kept = {k: context[k] for k in (*ORIGIN, *answers.REPOSITORY) if k in context}
            names = {
                "mg": release,
                "mg_stated": stated,
                "mg_answers": kept | stated,
                "fig": self._module("utils.filters").figure_helper(release.figures),
            }
            self._planned = (asked, names)
        context.update(self._planned[1])


def _settled(draft: Any) -> str:
    """The stated specification as JSON, once every answer is accepted."""
    for error in draft.problems.values():
        raise UserMessageError(str(error))
    return json.dumps(draft.stated)


def load_engine(home: Path) -> ModuleType:
    """The package in `home`, under a name that its contents decide.

    Two versions live in one process when a project is updated from one to the other; equal
    checkouts share one copy, as long as the first one is still there to read from.
    """
    name = f"metagen_{_fingerprint(home)}"
    loaded = sys.modules.get(name)
    if loaded is not None and Path(str(loaded.__file__)).exists():
        return loaded
    for module in [m for m in sys.modules if m == name or m.startswith(f"{name}.")]:
        del sys.modules[module]
    spec = spec_from_file_location(name, home / "__init__.py")
    package = module_from_spec(spec)
    sys.modules[name] = package
    spec.loader.exec_module(package)
    return package


def _fingerprint(home: Path) -> str:
    """A digest of all that the engine is made of, the parts that it assembles included."""
    digest = hashlib.sha256()
    template = home.parent.parent / "template"
    for root in (home, template / "_parts", template / "_programs"):
        for path in sorted(root.rglob("*")):
            if path.is_file() and path.parent.name != "__pycache__":
                content = path.read_bytes()
                digest.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode())
                digest.update(content)
    return digest.hexdigest()[:16]


class _CodeCache(jinja2.FileSystemBytecodeCache):
    """Compiled templates by their text, so that every clone of a template finds them."""

    def __init__(self, engine: str) -> None:
        super().__init__()
        self._engine = engine

    def get_bucket(
        self, environment: jinja2.Environment, name: str, filename: str | None, source: str
    ) -> Any:
        text = "\0".join((self._engine, jinja2.__version__, name, source))
        key = hashlib.sha256(text.encode()).hexdigest()
        bucket = jinja2.bccache.Bucket(environment, key, key)
        self.load_bytecode(bucket)
        return bucket

    def dump_bytecode(self, bucket: Any) -> None:
        with contextlib.suppress(OSError):
            super().dump_bytecode(bucket)


def code_cache(engine: ModuleType) -> _CodeCache | None:
    """A cache in the user's own temporary folder, or none where that is not to be had.

    It is a cache of one engine: Jinja applies filters to constants while it compiles.
    """
    try:
        return _CodeCache(f"{engine.__name__} {engine.__version__}")
    except (RuntimeError, OSError):
        return None
