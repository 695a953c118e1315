"""Whatever a specification says arrives as data in every language of the repository, or not at all.

Every free text of a specification is replaced by an attack behind a mark of its own. The repository
is rendered, each of its files is read by the parser of its language, and each mark is looked for:
in a string of the parsed document, whole, and nowhere else. Programs, Makefiles and workflows carry
no word of the author's; the first are compiled and the second run dry, beside a file and a secret
that an executed or expanded payload would create and betray.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from markdown_it import MarkdownIt

import metagen
from metagen.package_names import is_device, package_from, package_problem
from metagen.specs.errors import SpecError
from metagen.specs.fields import LONGEST_NAME
from metagen.specs.loader import examples, load_spec, parse
from metagen.utils.escaping import tex, tex_listing, visible
from metagen.utils.literals import json as json_literal
from metagen.utils.literals import yaml as yaml_literal

from .hostile import OWNED, PAYLOADS, REFUSED, SECRET, Marked, poisoned
from .rendering import no_figures

MINIMAL = {
    "metagen_version": "1.0",
    "name": "x",
    "modality": {"inputs": "text", "outputs": "text"},
}
READERS = {
    ".json": json.loads,
    ".yaml": yaml.safe_load,
    ".yml": yaml.safe_load,
    ".cff": yaml.safe_load,
    ".toml": tomllib.loads,
}
MARK = re.compile(r"Zq\d+qZ")
SLUG = re.compile(r"zq\d+qz[a-z0-9-]*")
OWN_WORDS = ("Makefile", ".py", ".gitignore", ".sty", ".bib", "ci.yml", ".pre-commit-config.yaml")
"""Files, by the ends of their names, that hold MetaGen's words only."""


def texts(value: Any) -> Iterator[str]:
    """Every string of plain data, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, held in value.items():
            yield from (*texts(key), *texts(held))
    elif isinstance(value, list | tuple):
        for held in value:
            yield from texts(held)


class Rendered:
    """A repository of a poisoned specification, and what each mark stands for."""

    def __init__(self, example: str, seed: int, folder: Path) -> None:
        attack = Marked(seed)
        document = poisoned(load_spec(example).stated, attack)
        author = "".join(c for c in visible(attack(120))[:200] if c.isprintable())
        with no_figures():
            made = metagen.synthesize(
                document,
                folder,
                package="specimen",
                author=author,
                voice=("confident", "plain")[seed % 2],
            )
        self.path = made.path
        self.release = made.release
        self.values = {MARK.match(t)[0]: t for t in texts(made.release.spec) if MARK.match(t)}
        self.values[MARK.match(author)[0]] = author
        assert set(self.values) == set(attack.marks)

    def files(self, *ends: str) -> Iterator[tuple[str, str]]:
        for path in sorted(self.path.rglob("*")):
            if path.is_file() and path.name.endswith(ends):
                yield path.relative_to(self.path).as_posix(), path.read_text(encoding="utf-8")

    def whole(self, shown: str, language: Callable[[str], str] = str) -> None:
        """After every mark of `shown` stands its text in `language`, whole or cut short with an …

        White space may have been folded, and invisible characters named.
        """
        for found in MARK.finditer(shown):
            value, rest = self.values[found[0]], shown[found.start() :]
            seen = visible(value)
            forms = (" ".join(value.split()), seen, seen.rstrip(" ."))  # prose ends with its own
            if not any(rest.startswith(language(form)) for form in forms):
                cuts = [f"{seen[:n].rstrip()}…" for n in range(10, len(seen))]
                assert any(rest.startswith(language(cut)) for cut in cuts), (value, rest)


#: Topologies whose documents differ most; the whole matrix goes through all examples.
FEW = ("edge_tiny_agent", "image_classifier_resnet", "rl_agent_dqn")
MANY = [
    pytest.param((name, 100 + i), marks=pytest.mark.full)
    for i, name in enumerate((sorted(examples()) * 2)[:100])
]


@pytest.fixture(scope="module", params=[*((name, i) for i, name in enumerate(FEW)), *MANY])
def rendered(request, tmp_path_factory, monkeypatch_module) -> Rendered:
    example, seed = request.param
    folder = tmp_path_factory.mktemp("survival")
    monkeypatch_module.chdir(folder)
    monkeypatch_module.setenv(SECRET, "betrayed-7f3a")
    return Rendered(example, seed, folder / "repository")


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def test_documents_hold_the_words_as_strings(rendered):
    """JSON, YAML and TOML: as often among the strings as in the text, so never in a comment."""
    for name, text in rendered.files(*READERS):
        found = list(texts(READERS[Path(name).suffix](text)))
        for string in found:
            rendered.whole(" ".join(string.split()))
        counted = sorted(mark for string in found for mark in MARK.findall(string))
        assert counted == sorted(MARK.findall(text)), name


def test_the_specification_survives_word_for_word(rendered, count):
    attacks = rendered.values.values()
    count(attacks_rendered=len(attacks), bytes_tried=sum(len(text.encode()) for text in attacks))
    for name in ("spec.yaml", "spec_resolved.yaml"):
        document = (rendered.path / name).read_text(encoding="utf-8")
        assert parse(yaml.safe_load(document)).resolved() == dict(rendered.release.spec)


def test_programs_hold_none_of_them(rendered):
    """Code, Makefiles, workflows, styles and the bibliography: MetaGen's own words alone."""
    seen = 0
    for name, text in rendered.files(*OWN_WORDS):
        assert not MARK.search(text), name
        if name.endswith(".py"):
            compile(ast.parse(text), name, "exec")
            seen += 1
    assert seen > 20
    for name, text in rendered.files("Dockerfile", "pyproject.toml"):
        [slug] = set(SLUG.findall(text)) or {""}
        assert slug == rendered.release.words["slug"], name


def test_markdown_shows_them_and_nothing_else(rendered):
    parser = MarkdownIt("gfm-like", {"linkify": False, "html": True})
    for name, text in rendered.files(".md"):
        front, body = "", text
        if text.startswith("---\n"):
            _, front, body = text.split("---\n", 2)
            rendered.whole("\n".join(texts(yaml.safe_load(front))))
        shown = []
        for token in parser.parse(body):
            assert token.type != "html_block", (name, token.content)
            if token.type in ("fence", "code_block"):
                shown.append(token.content)
            shown.append("".join(_inline(token.children or (), rendered.path / name)))
        for line in shown:
            rendered.whole(line)
        assert sorted(MARK.findall("\n".join(shown))) == sorted(MARK.findall(body)), name


def test_tables_keep_their_columns(rendered):
    """A bar in somebody's words is a bar in a cell."""
    parser = MarkdownIt("gfm-like", {"linkify": False, "html": True})
    for name, text in rendered.files(".md"):
        lines = text.splitlines()
        for table in (token for token in parser.parse(text) if token.type == "table_open"):
            rows = lines[table.map[0] : table.map[1]]
            assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1, (name, rows)


def _inline(children: Any, document: Path) -> Iterator[str]:
    for child in children:
        if child.type == "html_inline":
            assert re.fullmatch(r"<!--=[\w.]+-->", child.content), child.content
        for target in filter(None, (child.attrGet("href"), child.attrGet("src"))):
            inside = (document.parent / target).resolve()
            assert inside.is_relative_to(document.parents[0].resolve().parent), target
            assert re.fullmatch(r"[\w./-]+", target), target
        if child.type in ("text", "text_special", "code_inline"):
            yield child.content


def test_latex_has_them_escaped_only(rendered):
    for name, text in rendered.files(".tex"):
        if name == "paper/specification.tex":  # a listing of the other document, line by line
            assert text == f"{tex_listing(yaml_literal(rendered.release.spec))}\n"
            said = str(rendered.release.spec)
            assert set(MARK.findall(_unbroken(text))) == set(MARK.findall(said))
        else:
            rendered.whole(_unbroken(text), lambda value: _unbroken(tex(value)))
        inputs = set(re.findall(r"\\(?:input|include)\b\{?([^}\s]*)", text))
        assert inputs <= INPUTS, name


INPUTS = {"ledger", "measured", "specification"} | {
    f"sections/{name}"
    for name in (
        *("abstract", "intro", "related_work", "method", "experiments", "limitations", "ethics"),
        "appendix",
    )
}


def _unbroken(latex: str) -> str:
    """LaTeX without what keeps ligatures and long words apart, which depends on neighbours."""
    return latex.replace(r"\allowbreak{}", "").replace("{}", "")


def test_plain_text_keeps_its_lines(rendered):
    log = (rendered.path / "logs" / "metagen.log").read_text(encoding="utf-8")
    for line in log.splitlines():
        assert re.match(r"metagen |artifacts: |parameters: |constraint |note ", line)
        assert line.isprintable()
    license = (rendered.path / "LICENSE").read_text(encoding="utf-8")
    [mark] = MARK.findall(license)
    assert rendered.values[mark] in license


def test_names_of_files(rendered):
    for path in rendered.path.rglob("*"):
        assert re.fullmatch(r"[A-Za-z0-9._-]+", path.name), path
        assert not is_device(path.name) and not path.is_symlink(), path


def test_nothing_is_executed(rendered):
    """Makefiles run dry, README's commands are read by bash; no file and no secret come of it."""
    run = {"cwd": rendered.path, "check": True, "capture_output": True, "text": True}
    said = ""
    for folder in (".", "paper"):
        makefile = (rendered.path / folder / "Makefile").read_text()
        for target in re.findall(r"^([a-z]+):", makefile, re.MULTILINE):
            dry = ["make", "-n", "-C", folder, "PYTHON=python3", target]
            said += subprocess.run(dry, **run).stdout
    assert "python3" in said
    parser = MarkdownIt()
    for _, text in rendered.files(".md"):
        for token in parser.parse(text):
            if token.type == "fence" and token.info == "sh":
                subprocess.run(["bash", "-n"], input=token.content, **run)
    assert SECRET in os.environ
    for _, text in rendered.files(""):
        assert os.environ[SECRET] not in text
    assert os.environ[SECRET] not in said
    for folder in (Path.cwd(), rendered.path.parent):
        assert not list(folder.rglob(OWNED))


def test_figures_of_hostile_words_are_well_formed(metagen, tmp_path):
    """The whole command, figures drawn: each SVG is XML without scripts or links."""
    document = poisoned(load_spec("edge_tiny_agent").stated, Marked(11))
    (tmp_path / "spec.json").write_text(json_literal(document), encoding="utf-8")
    done = metagen("synth", "spec.json", "--out", "out", "--run-id", "run", cwd=tmp_path)
    assert done.status == 0, done.err
    assert done.out == f"{Path('out', 'run')}\n"
    drawn = list((tmp_path / "out").rglob("*.svg"))
    assert drawn
    for path in drawn:
        kinds = {element.tag.rpartition("}")[2] for element in ElementTree.parse(path).iter()}
        assert kinds.isdisjoint({"script", "a", "image", "foreignObject", "text"}), path
    assert not list(tmp_path.rglob(OWNED))
    (kept,) = tmp_path.glob("out/run/spec.yaml")
    assert kept.read_bytes() == (tmp_path / "spec.json").read_bytes()


@pytest.mark.parametrize("kind", REFUSED)
def test_what_no_field_takes(kind, count):
    """Refused in every field, in a message that a terminal can print."""
    count(texts_refused=1, bytes_tried=len(REFUSED[kind].encode("utf-8", "surrogatepass")))
    document = poisoned(MINIMAL, lambda longest: REFUSED[kind])
    with pytest.raises(SpecError) as caught:
        parse(document)
    named = {problem.path.partition("[")[0] for problem in caught.value.problems}
    assert named >= {
        *("name", "description", "task.domain", "training.data.sources", "training.data.size"),
        *("training.data.governance.pii", "training.alignment.policy", "architecture.components"),
        *("architecture.dims.arch", "evaluation.benchmarks", "reproducibility.determinism"),
    }
    message = str(caught.value)
    assert message.replace("\n", "").isprintable() and len(message) < 20_000


NAMES = (
    *("class", "import", "None", "match", "torch", "json", "os", "site", "code", "test", "tests"),
    *("con", "AUX", "nul", "com1", "lpt9", "PRN.txt", "pip", "packaging", "six", "google"),
    *("../../etc/passwd", "..", "/", ".", "-", "_", "__init__", "123", "日本語", "🙂", "e\u0301"),
    *("x" * LONGEST_NAME, "a b", "A-B", "ﬁ", "ß", "İ", "model", "PACKAGE", "{{ name }}", "$(id)"),
    *PAYLOADS,
)


@pytest.mark.parametrize("name", NAMES)
def test_a_package_from_any_name(name):
    """A name of Python, a file name of every system, and one that hides nothing."""
    package = package_from(name)
    assert package.isidentifier() and package.isascii() and package == package.lower()
    assert not package_problem(package) and not is_device(package)


@pytest.mark.parametrize(
    "package",
    ["con", "nul", "pip", "packaging", "torch", "json", "class", "../x", "a/b", "A", "a-b", "é",
     "_x", "", "x" * 61, "a\n", "{{ x }}", "$(id)"],
)  # fmt: skip
def test_packages_that_are_refused(package):
    assert package_problem(package)


@pytest.mark.parametrize(
    "run_id",
    ["..", ".", "../x", "/etc/x", "a/b", "a\\b", "-x", ".hidden", "", " ", "a b", "a\nb", "é",
     "$(id)", "a;b", "con", "NUL.txt", "lpt1", "a.", "x" * 101],
)  # fmt: skip
def test_run_ids_that_are_refused(run_id, tmp_path, monkeypatch, capsys):
    """Before anything is written."""
    from metagen import cli

    monkeypatch.chdir(tmp_path)
    arguments = ["metagen", "synth", "edge_tiny_agent", f"--run-id={run_id}"]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "--run-id" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
