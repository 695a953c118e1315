"""The repository itself: its layout, the engine rule, and documents that say what is so."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
ENGINE = ROOT / "src" / "metagen"
ENGINE_FOLDERS = ("hardware", "specs", "synth", "utils")
ALLOWED = {"pydantic", "pydantic_core", "yaml"} | sys.stdlib_module_names
COPIER_SIDE = {"copier", "copier_template_extensions", "jinja2"}

TOP_LEVEL = {
    *("template", "src", "tests", "examples", "docs", "paper", "benchmarks", ".github", ".ci"),
    *("copier.yml", "pyproject.toml", "constraints.txt", "hatch_build.py", "Makefile"),
    *("README.md", "CONTRIBUTING.md", "CODE_OF_CONDUCT.md", "mkdocs.yml"),
    *("LICENSE", "MODEL_LICENSE_ADDENDUM.md"),
    *(".gitignore", ".gitattributes", ".pre-commit-config.yaml", ".editorconfig"),
}

VERBATIM = {
    "README.md": (
        "**Spec → Model**",
        "One model to generate them all.",
        "A universal foundation model synthesizer.",
        "MetaGen synthesizes *new AI models* from high-level specifications—covering modalities, "
        "architectures, objectives, and deployment constraints.",
        "MetaGen is a research artifact and commentary.",
        "uvx --with copier-template-extensions --with matplotlib copier copy --trust "
        "gh:metagen/template my-model",
    ),
    "MODEL_LICENSE_ADDENDUM.md": (
        "If you cite MetaGen, please also cite your favorite model announcement tweet.",
    ),
    "docs/reproducibility.md": ("Deterministic in expectation.",),
}

SECTIONS = (
    *("What is MetaGen?", "Quickstart", "Example spec", "Demo output", "How it works"),
    *("Installation", "Usage", "Specs (MSL)", "Outputs", "Benchmarks", "Paper"),
    *("How it compares", "FAQ", "Contributing", "License"),
)


def files() -> list[Path]:
    """Every file that is or would be committed."""
    found = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return [path for name in found.split("\0") if name and (path := ROOT / name).is_file()]


def engine_files() -> list[Path]:
    found = [path for folder in ENGINE_FOLDERS for path in (ENGINE / folder).rglob("*.py")]
    return [*found, *ENGINE.glob("copier_hook.py")]


def executed(path: Path) -> Iterator[ast.AST]:
    """Every node of a file but what stands under `if TYPE_CHECKING`."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)


def imported(path: Path) -> list[tuple[str, int]]:
    """(top-level module, line) of every absolute import, wherever it stands."""
    found = []
    for node in executed(path):
        if isinstance(node, ast.Import):
            found += [(alias.name.split(".")[0], node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.append((str(node.module).split(".")[0], node.lineno))
    return found


def relative_targets(path: Path) -> set[Path]:
    """The engine modules that a file imports relatively."""
    found = set()
    for node in executed(path):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = path.parents[node.level - 1]
        base = base.joinpath(*node.module.split(".")) if node.module else base
        for candidate in (base, *(base / alias.name for alias in node.names)):
            for module in (candidate.with_suffix(".py"), candidate / "__init__.py"):
                if module.is_file():
                    found.add(module)
    return found


def test_top_level_is_complete_and_nothing_else() -> None:
    found = {path.relative_to(ROOT).parts[0] for path in files()}
    assert found == TOP_LEVEL


def test_engine_imports_only_what_copier_can_give_it() -> None:
    offences = []
    for path in engine_files():
        allowed = ALLOWED | (COPIER_SIDE if path.name == "copier_hook.py" else set())
        for module, line in imported(path):
            if module not in allowed:
                offences.append(f"{path.relative_to(ROOT)}:{line} imports {module}")
    assert len(engine_files()) > 15
    assert not offences


def test_engine_is_closed_under_its_relative_imports() -> None:
    """What the hook reaches is engine too, so the rule above covers all that Copier loads."""
    seen: set[Path] = set()
    waiting = set(engine_files())
    while waiting:
        path = waiting.pop()
        seen.add(path)
        waiting |= relative_targets(path) - seen
    for path in seen:
        outside = [name for name, _ in imported(path) if name not in ALLOWED | COPIER_SIDE]
        assert not outside, f"{path.relative_to(ROOT)} is loaded by Copier and imports {outside}"


@pytest.mark.parametrize("folder", ["hardware", "utils"])
def test_what_the_engine_builds_on_imports_none_of_it(folder: str) -> None:
    files = list((ENGINE / folder).rglob("*.py"))
    assert files
    for path in files:
        above = [name for name in ("specs", "synth") for target in relative_targets(path)
                 if target.is_relative_to(ENGINE / name)]  # fmt: skip
        assert not above, f"{path.relative_to(ROOT)} imports {above}"


def test_engine_reads_no_clock() -> None:
    for path in engine_files():
        assert not {name for name, _ in imported(path)} & {"time", "uuid", "secrets"}, path.name
        calls = {node.attr for node in executed(path) if isinstance(node, ast.Attribute)}
        assert not calls & {"now", "today", "utcnow", "getpid"}, path.name


@pytest.mark.parametrize("name", VERBATIM)
def test_documents_say_verbatim_what_they_must(name: str) -> None:
    text = " ".join((ROOT / name).read_text(encoding="utf-8").split())
    for phrase in VERBATIM[name]:
        assert phrase in text


def test_readme_has_its_sections_in_order() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == list(SECTIONS)
    assert "```mermaid" in text


def test_no_path_of_any_machine_is_in_a_file() -> None:
    machine = re.compile(rb"(?<![\w.$~{>)-])/(?:work|farm|root|home(?!/model)|Users|tmp)/[\w.]+")
    excused = {Path(__file__).resolve()}
    found = [
        f"{path.relative_to(ROOT)}: {match[0].decode()}"
        for path in files()
        if path not in excused and path.suffix not in {".png", ".pdf"}
        for match in [machine.search(path.read_bytes())]
        if match
    ]
    assert not found


def test_constraints_pin_every_direct_dependency_and_nothing_but_versions() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", pin) for pin in pins)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(item for extra in extras for item in extra)]
    names = {re.split(r"[<>=\[]", item)[0].lower() for item in wanted} - {"metagen"}
    pinned = {pin.split("==")[0].lower().replace("_", "-") for pin in pins}
    assert names <= pinned
    assert "torch" in pinned


def test_the_version_is_written_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" in project["dynamic"] and "version" not in project


def test_workflow_runs_everything_with_least_permissions() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    assert set(workflow[True]) == {"push", "pull_request"}  # YAML 1.1 reads `on` as true
    assert workflow["permissions"] == {"contents": "read"}
    assert set(workflow["jobs"]) == {"lint", "tests", "demo", "paper"}


def test_make_and_ci_offer_what_the_readme_says() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    assert {"setup", "lint", "test", "demo", "paper", "docs", "bench"} <= targets
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_git_ignores_nothing_that_the_wheel_ships() -> None:
    command = ["git", "ls-files", "--others", "--ignored", "--exclude-standard"]
    shipped = ["template", "src", "examples", "copier.yml"]
    found = subprocess.run([*command, *shipped], cwd=ROOT, capture_output=True, text=True).stdout
    assert [line for line in found.splitlines() if "__pycache__" not in line] == []


def test_importing_metagen_imports_nothing_heavy() -> None:
    script = (
        "import sys, metagen; heavy = {'pydantic', 'yaml', 'copier', 'rich', 'jinja2', 'typer',"
        " 'matplotlib', 'torch'} & set(sys.modules); print(sorted(heavy))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert found.stdout.strip() == "[]"


def test_public_names_resolve() -> None:
    import metagen

    assert all(getattr(metagen, name) is not None for name in metagen.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = metagen.nothing
