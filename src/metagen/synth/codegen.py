"""Which parts and which files a release is made of, and the numbers in its `config.py`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .architecture import Blueprint
from .dims import Dim
from .imports import imported_siblings
from .joining import join_parts
from .release import SourceFile
from .specialise import literal, specialise
from .statements import is_import, names_in, statements
from .topologies.base import Topology
from .training_plan import TrainingPlan
from .unused import without_unused


def template_folder() -> Path:
    """`template/` beside this engine: in the checkout, or in the wheel's bundle."""
    package = Path(__file__).parents[1]
    bundled = package / "_bundle" / "template"
    return bundled if bundled.is_dir() else package.parents[1] / "template"


_Needs = tuple[tuple[str, frozenset[str]], ...]
_Parts = tuple[dict[str, str], dict[str, _Needs]]


def package_files(
    plan: Blueprint, training: TrainingPlan, seed: int, tests: Iterable[SourceFile]
) -> tuple[SourceFile, ...]:
    """The files of `code/<package>/`, in alphabetical order; what only `tests` use is kept."""
    topology, dims = plan.demands.topology, plan.design.dims
    switches = topology.switches(dims)
    files = _gathered(topology, switches, "")
    fields = topology.fields(dims)
    model = {fields[d]: (topology.table[d], dims[d]) for d in fields}
    smaller = topology.tiny(dims)
    absent = topology.table.keys() - fields.keys()
    tiny = {fields.get(d, d): value for d, value in smaller.items() if d not in absent}
    settings = {name: (dim, dim.default) for name, dim in topology.settings.items()}
    files["config"] = config_source(
        files["config"], model, settings, training_values(training, seed) | topology.recipe, tiny
    )
    parts = _parts_of(topology.top, switches)
    files = without_unused(files, [*parts[0].values(), *(test.text for test in tests)])
    networks = network_sources(topology, switches, files.values(), parts)
    assert files.keys().isdisjoint(networks), files.keys() & networks.keys()
    return _as_files(files | networks)


#: Distributions by the module that generated code imports; those under `""` are always needed.
_DISTRIBUTIONS = {
    "": ("numpy>=1.26,<3", "safetensors>=0.4.5,<1", "torch>=2.6,<3"),
    "PIL": ("pillow>=10.1,<13",),
    "tokenizers": ("tokenizers>=0.20,<1",),
}


def requirements(files: Iterable[SourceFile]) -> tuple[str, ...]:
    """What the package depends on, in alphabetical order, from what its files import."""
    imported = re.compile(r"^ *(?:import|from) (\w+)", re.MULTILINE)
    modules = {"", *(name for file in files for name in imported.findall(file.text))}
    return tuple(sorted(d for m in modules for d in _DISTRIBUTIONS.get(m, ())))


def test_files(plan: Blueprint, trains: bool) -> tuple[SourceFile, ...]:
    """The files of `tests/`, in alphabetical order; without a recipe none of them trains.

    Of the files that hold no tests, fixtures and helpers are kept as far as tests ask for them.
    """
    topology = plan.demands.topology
    files = _gathered(topology, topology.switches(plan.design.dims), "/tests")
    tests = {
        name: source
        for name, source in files.items()
        if name.startswith("test_") and (trains or "PACKAGE.train" not in source)
    }
    shared = {name: source for name, source in files.items() if not name.startswith("test_")}
    shared = without_unused(shared, map(_asked_for, tests.values()))
    return _as_files(tests | {name: source for name, source in shared.items() if _holds(source)})


def _asked_for(test: str) -> str:
    """The names that a file of tests imports, or that its functions take: fixtures and helpers."""
    return " ".join((*_IMPORTED.findall(test), *_TAKEN.findall(test)))


_IMPORTED = re.compile(r"^from \S+ import (\([^)]*\)|.+)$", re.MULTILINE)
_TAKEN = re.compile(r"^ *def \w+\(([^)]*)\)", re.MULTILINE)


def _holds(source: str) -> bool:
    """Whether a file has more than a docstring and imports."""
    _, *body = statements(source)
    return not all(map(is_import, body))


def _gathered(topology: Topology, switches: Mapping[str, Any], below: str) -> dict[str, str]:
    """The topology's programs, or their tests, specialised; later folders override earlier."""
    sources: dict[str, str] = {}
    for folder in topology.folders(switches):
        sources |= _sources(f"_programs/{folder}{below}")
    idle = topology.idle_programs(switches)
    idle += tuple(f"test_{name}" for name in idle)
    return {name: specialise(s, switches) for name, s in sources.items() if name not in idle}


def _as_files(files: Mapping[str, str]) -> tuple[SourceFile, ...]:
    return tuple(SourceFile(f"{name}.py", files[name]) for name in sorted(files))


def network_sources(
    topology: Topology,
    switches: Mapping[str, Any],
    programs: Iterable[str] = (),
    known: _Parts | None = None,
) -> dict[str, str]:
    """The files that the model is made of, by name: `model`, and those of its other networks.

    A network's file holds its root part with every part that no other file needs; what several
    need goes to `layers`. A file keeps the names that the others, and `programs`, import from it.
    `known` are the parts, where they are specialised already.
    """
    parts, needs = known or _parts_of(topology.top, switches)
    roots = {topology.top: "model"} | {
        part: file for part, file in topology.network_files(switches).items() if part in parts
    }
    homes = _homes(needs, roots)
    members: dict[str, dict[str, str]] = {}
    for part, file in homes.items():
        members.setdefault(file, {})[part] = parts[part]
    wanted = {file: set(topology.exports if file == "model" else ()) for file in members}
    for part, needed in needs.items():
        for module, names in needed:
            file = homes.get(module)
            if file and file != homes[part]:
                wanted[file] |= names
    for source in programs:
        for file, names in imported_siblings(source):
            if file in wanted:
                wanted[file] |= names
    tops = {file: part for part, file in roots.items()}
    return {
        file: join_parts(own, tops.get(file), tuple(sorted(wanted[file])), homes)
        for file, own in members.items()
    }


def _parts_of(top: str, switches: Mapping[str, Any]) -> _Parts:
    """Every part that the top one needs, specialised, by name; and what each of them needs."""
    folder = template_folder() / "_parts"
    parts: dict[str, str] = {}
    needs: dict[str, _Needs] = {}
    pending = [top]
    while pending:
        name = pending.pop()
        if name not in parts and name != "config":
            source = (folder / f"{name}.py").read_text(encoding="utf-8")
            parts[name] = specialise(source, switches)
            needs[name] = _needs(parts[name])
            pending += [module for module, _ in needs[name]]
    return parts, needs


def _needs(source: str) -> _Needs:
    """`(module, names)` of the siblings that a specialised part still makes use of."""
    siblings = tuple(imported_siblings(source))
    if all(module == "config" for module, _ in siblings):
        return ()
    used = names_in("".join(text for text in statements(source) if not is_import(text)))
    found = ((module, frozenset(names & used)) for module, names in siblings)
    return tuple((module, names) for module, names in found if names)


def _homes(needs: Mapping[str, _Needs], roots: Mapping[str, str]) -> dict[str, str]:
    """The file of every part: its root's where one root alone reaches it, else `layers`."""
    found: dict[str, set[str]] = {part: set() for part in needs}
    for root, file in roots.items():
        pending = [root]
        while pending:
            part = pending.pop()
            if part in needs and file not in found[part]:
                found[part].add(file)
                pending += [module for module, _ in needs[part] if module not in roots]
    return {
        part: roots.get(part) or (next(iter(files)) if len(files) == 1 else "layers")
        for part, files in found.items()
    }


def _sources(folder: str) -> dict[str, str]:
    paths = sorted((template_folder() / folder).glob("*.py"))
    return {path.stem: path.read_text(encoding="utf-8") for path in paths}


def training_values(training: TrainingPlan, seed: int) -> dict[str, Any]:
    """The training plan's settings in the full preset."""
    return {
        "train_length": training.sequence,
        "steps": training.steps,
        "global_batch": training.global_batch,
        "micro_batch": training.micro_batch,
        "learning_rate": training.learning_rate,
        "min_learning_rate": float(f"{training.learning_rate / 10:.3g}"),
        "warmup_steps": training.warmup_steps,
        "seed": seed,
        "parallel": "fsdp" if training.parallelism == "FSDP" else "ddp",
        "activation_checkpointing": training.checkpointing,
    }


def config_source(
    source: str,
    model: Mapping[str, tuple[Dim, Any]],
    settings: Mapping[str, tuple[Dim, Any]],
    training: Mapping[str, Any],
    tiny: Mapping[str, Any],
) -> str:
    """`config.py` of one release.

    The fields of `model` open its section, those of `settings` the data section; defaults of the
    other fields become those of `training`, and `TINY` is headed by `tiny`.
    """
    lines = source.splitlines(keepends=True)
    edits: list[tuple[int, int, str]] = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "TINY":
            values = dict(tiny) | {
                k: v for k, v in ast.literal_eval(node.value).items() if k not in tiny
            }
            body = "".join(f'    "{k}": {literal(v)},\n' for k, v in values.items())
            edits.append((node.lineno, node.end_lineno, f"TINY = {{\n{body}}}\n"))
        if isinstance(node, ast.ClassDef) and node.name == "Config":
            edits += _default_edits(node, training)
    for number, line in enumerate(lines, 1):
        for section, fields in (("# model", model), ("# data", settings)):
            if line.strip() == section:
                edits.append((number, number, line + _declared(fields, training)))
    for first, last, text in sorted(edits, reverse=True):
        lines[first - 1 : last] = [text]
    return "".join(lines)


def _declared(fields: Mapping[str, tuple[Dim, Any]], values: Mapping[str, Any]) -> str:
    """Dataclass fields with their attribute docstrings."""
    text = ""
    for name, (dim, value) in fields.items():
        doc = dim.doc[0].upper() + dim.doc[1:]
        text += f"    {name}: {_kind(dim)} = {_literal(dim, values.get(name, value))}\n"
        text += f'    """{doc}."""\n'
    return text


def _default_edits(config: ast.ClassDef, values: Mapping[str, Any]) -> list[tuple[int, int, str]]:
    edits = []
    for node in config.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name, kind = node.target.id, ast.unparse(node.annotation)
            if name in values:
                value = float(values[name]) if kind == "float" else values[name]
                text = f"    {name}: {kind} = {literal(value)}\n"
                edits.append((node.lineno, node.end_lineno, text))
    return edits


def _kind(dim: Dim) -> str:
    return "tuple[int, ...]" if dim.kind == "list" else dim.kind


def _literal(dim: Dim, value: Any) -> str:
    if dim.kind == "list":
        return literal(tuple(value))
    return literal(float(value) if dim.kind == "float" else value)
