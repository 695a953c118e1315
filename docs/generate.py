"""Write the parts of the documentation that are made from the code, or check that they are current.

    python docs/generate.py            # rewrite what differs
    python docs/generate.py --check    # name what differs, exit 1

Whole files: the bundled specifications, the routing table, the devices, the command line, the
solved shapes, the published models and what other estimators say of them, the recorded terminal,
the JSON Schema.
Parts of README.md, the specification language, the architecture, the estimates and the page on
reliability: whatever stands between `<!-- begin: x -->` and `<!-- end: x -->`. What commands
print on README.md and in the tutorials: `sessions.py` plays them.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sessions import PAGES, WIDTH, played, timeless

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
README = ROOT / "README.md"
LANGUAGE = DOCS / "spec_language.md"
TRANSCRIPT = DOCS / "transcripts" / "demo.txt"
ARCHITECTURE = DOCS / "architecture.md"
ESTIMATES = DOCS / "estimates.md"
RELIABILITY = DOCS / "reliability.md"
MUTANTS = ROOT / "tests" / "survival" / "mutants.json"
PACKAGE = ROOT / "src" / "metagen"
ROOMS = ("specs", "synth", "synth/topologies", "synth/parts", "hardware", "post", "utils")
EXAMPLES = ROOT / "examples" / "specs"

sys.path.insert(0, str(ROOT / "benchmarks"))


def run(arguments: list[str], cwd: Path) -> str:
    """What `metagen` with `arguments` shows on a terminal without colours."""
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": WIDTH, "TERM": "dumb"}
    for name in ("FORCE_COLOR", "LINES"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-m", "metagen", *arguments],
        cwd=cwd, env=environment, check=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return "\n".join(line.rstrip() for line in done.stdout.splitlines()) + "\n"


def record_demo() -> tuple[str, str]:
    """The recorded demo, and the tree of the first repository that it made."""
    with tempfile.TemporaryDirectory() as folder:
        shown = run(["demo"], Path(folder))
        made = sorted((Path(folder) / "outputs").iterdir())
        first = next(path for path in made if (path / "code" / "text_llm_8b").is_dir())
        return f"$ metagen demo\n{shown}", tree(first)


def tree(folder: Path) -> str:
    """The files of a generated repository, in the manner of `tree`."""
    return "\n".join(["my-model/", *_branches(folder, "")])


def _branches(folder: Path, indent: str) -> Iterator[str]:
    entries = sorted(folder.iterdir(), key=lambda path: (path.is_file(), path.name.lower()))
    for entry in entries:
        last = entry == entries[-1]
        yield f"{indent}{'└── ' if last else '├── '}{entry.name}{'/' if entry.is_dir() else ''}"
        if entry.is_dir():
            yield from _branches(entry, indent + ("    " if last else "│   "))


def command_names() -> dict[str, str]:
    """Every command with its one-line help, in the order of `metagen --help`."""
    from metagen.cli import app

    found = {}
    for command in app.registered_commands:
        summary = (command.callback.__doc__ or "").strip().splitlines()[0]
        found[command.name or command.callback.__name__] = summary
    return found


def cli_page() -> str:
    """docs/cli.md: every command's own help."""
    parts = ["# Command line", "", *_COMMANDS]
    for name in ("", *command_names()):
        shown = run([*name.split(), "--help"], ROOT)
        title = f"metagen {name}".strip()
        parts += [f"## {title}", "", "```text", shown.strip("\n"), "```", ""]
    return "\n".join([*parts, *_STATUS])


_COMMANDS = (
    "What each command says about itself. A path, a schema or JSON goes to stdout, everything else",
    "to stderr; `SPEC` is a path, `-`, or the name of a [bundled specification](specs.md).",
    "",
)
_STATUS = (
    "## Exit status",
    "",
    "| status | means |",
    "|---:|---|",
    "| 0 | done |",
    "| 1 | it could not be done: a folder exists already, an update left conflicts |",
    "| 2 | the specification, or the command line, is refused; nothing was written |",
    "| 130 | interrupted; nothing half-written was left behind |",
    "",
    "`NO_COLOR` turns colour off, `FORCE_COLOR` on; on a pipe it is off.",
    "",
)


def commands_table() -> str:
    """README's table of commands."""
    rows = [f"| `metagen {name}` | {text} |" for name, text in command_names().items()]
    return "\n".join(["| command | does |", "|---|---|", *rows])


def rooms() -> str:
    """Every module of the package with the first sentence of its docstring."""
    lines = []
    for folder in (PACKAGE, *(PACKAGE / name for name in ROOMS)):
        lines += ["", f"**`{folder.relative_to(ROOT).as_posix()}/`**", ""]
        for path in sorted(folder.glob("*.py")):
            paragraph = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
            sentence = " ".join((paragraph or "").split("\n\n")[0].split())
            lines.append(f"- `{path.name}`: {sentence}")
    return "\n".join(lines)


def specs_page() -> str:
    """docs/specs.md: the bundled specifications and what they become."""
    from metagen import load_spec, plan

    rows = []
    for path in sorted(EXAMPLES.rglob("*.yaml")):
        release = plan(load_spec(path))
        figures = release.figures
        rows.append(
            f"| [`{path.stem}`]({_SOURCE}/{path.relative_to(ROOT).as_posix()}) "
            f"| {path.parent.name} | {release.words['modality_phrase']} "
            f"| {figures['total_params'].text} | {figures['peak_memory_gb'].text} "
            f"| {len(release.notes)} |"
        )
    return "\n".join(
        [
            "# Bundled specifications",
            "",
            "Every command takes these by name: `metagen synth text_llm_8b`. Warnings are what",
            "`metagen validate` prints: modalities that are approximated, constraints that cost",
            "something. `taste_generation` and `infinite_context` were asked for in good faith.",
            "",
            "| name | group | maps | parameters | peak memory | warnings |",
            "|---|---|---|---:|---:|---:|",
            *rows,
            "",
        ]
    )


def routing_page() -> str:
    """docs/routing.md: the routing table, and what each topology covers."""
    from metagen.specs import reference
    from metagen.synth.routing import ROWS
    from metagen.synth.topologies import TOPOLOGIES

    conditions = ("inputs", "outputs", "objective", "task", "family", "part")
    lines = []
    for row in ROWS:
        named = {c: " or ".join(row[c]) for c in conditions[2:] if c in row}
        for side in conditions[:2]:
            if side in row:
                named[side] = " and ".join(row[side])
            elif f"{side}_among" in row:
                fewest = {2: "two or more of "}.get(row.get(f"{side}_at_least"), "any of ")
                named[side] = fewest + ", ".join(row[f"{side}_among"])
        cells = (f"`{row['topology']}`", row["metric"], row["trivial"], row["artifact"])
        lines.append("| " + " | ".join((*(named.get(c, "–") for c in conditions), *cells)) + " |")
    covered = []
    for topology in TOPOLOGIES.values():
        words = (", ".join(sorted(topology.covers.get(c, ()))) for c in _COVERED)
        cells = (f"`{topology.id}`", topology.phrase, *words, topology.served_as or "–")
        covered.append("| " + " | ".join(cells) + " |")
    return _ROUTING.format(
        rows="\n".join(lines),
        covered="\n".join(covered),
        approximations=reference.approximation_table().strip(),
    )


_COVERED = ("inputs", "outputs", "objective", "task", "family")
_ROUTING = """# Routing

Which model a specification means. The first row that matches decides; a condition that a row does
not state (–) matches everything. Objective goes before task, task before outputs; the family
decides the backbone, and a *part* is the type of a component, or `block` in `architecture.dims`.
The table is `src/metagen/synth/routing.yaml`, and this page is made from it.

| inputs | outputs | objective | task | family | part | topology | metric | trivial | writes |
|---|---|---|---|---|---|---|---|---|---|
{rows}

*Metric* is what `eval` reports, *trivial* the predictor that it is set beside, *writes* what
`infer` leaves behind. The last rows take whatever the others leave: every valid specification has a
model. Within `decoder_lm`, a component of type `mixture_of_experts` or `moe`, or `n_experts` in
`architecture.dims`, puts experts in place of every MLP.

## Covered, and approximated

A word that a topology does not cover is approximated by it, never silently: `metagen validate` says
so in the terminal, and the model's limitations say so in writing. A task that is not covered is
served as the last column says; an objective that is not covered is replaced by the topology's own;
a modality that is not covered is read as the one that stands in for it, or as text where the model
reads text; else it is left out.

| topology | is a | inputs | outputs | objective | task | family | another task is served as |
|---|---|---|---|---|---|---|---|
{covered}

## Modalities of another world

{approximations}
"""
_SOURCE = "https://github.com/metagen/template/blob/main"


def devices_page() -> str:
    """docs/devices.md: the device catalogue with its sources."""
    from metagen.hardware.catalogue import ACCELERATORS, ETHERNET

    head = ("id", "device", "GB", "GB/s", *_PEAKS, "ridge", "W", "link GB/s", "source")
    sections = []
    for kind, title in _KINDS.items():
        sections += [f"## {title}", "", "| " + " | ".join(head) + " |"]
        sections.append("|---|---|" + "---:|" * (len(head) - 3) + "---|")
        for device in ACCELERATORS.values():
            if device.kind != kind:
                continue
            peaks = device.peaks | {"16-bit": device.peaks.get("bf16", device.peaks.get("fp16"))}
            shown = (f"{peaks[key] / 1e12:g}" if peaks.get(key) else "–" for key in _PEAKS)
            power = "–" if "power" in device.assumed else f"{device.power:g}"
            link = "–" if "link" in device.assumed else f"{device.link / 1e9:g}"
            name = f"{device.name} (`{device.word}`)" if device.word else device.name
            memory = (f"{device.memory / 1e9:g}", f"{device.bandwidth / 1e9:g}")
            cells = (f"`{device.id}`", name, *memory, *shown, f"{device.ridge:.0f}", power, link)
            sections.append("| " + " | ".join((*cells, device.source)) + " |")
        sections.append("")
    return _DEVICES_PAGE.format(
        count=len(ACCELERATORS), ethernet=f"{ETHERNET / 1e9:g}", sections="\n".join(sections)
    )


_PEAKS = ("fp32", "tf32", "16-bit", "fp8", "int8")
_KINDS = {
    "cpu": "Processors",
    "apple": "Apple silicon",
    "consumer": "Consumer GPUs",
    "workstation": "Workstation GPUs",
    "datacenter": "Datacenter accelerators",
    "edge": "Edge boards",
}
_DEVICES_PAGE = """# Devices

The {count} devices that plans reckon with. `constraints.device` names four of them by a word, which
stands in brackets; `training.compute.hardware` takes any of them by its id or by what people and
drivers call it: `8xH100`, `RTX 4090`, `NVIDIA A100-SXM4-40GB`. The bare name means the module (SXM)
and the larger memory. The catalogue is `src/metagen/hardware/devices.json`, and this page is made
from it.

*GB* and *GB/s* are memory and its bandwidth. Peaks are in TFLOP/s (int8 in TOP/s): dense, with
products of 16 and 8 bits accumulated in 32, and fp32 without tensor cores. A sparse figure counts
half. *16-bit* is bf16 where the device has it, else fp16; where 16 bits compute no faster than
fp32, plans use fp32. *Ridge* is that peak over the bandwidth, in FLOP per byte: work with fewer
FLOP for each byte it moves is bound by memory (Williams et al., 2009). *W* is the board's power.
*Link* is what one device sends to the others of its node, in one direction; bridges that join only
pairs do not count, since a larger group meets at PCIe.

A dash is a figure that is not published. Where a plan needs it, it is assumed, and said to be so:
the power of a device of median efficiency (FLOP per joule) of the same kind, and a link of
{ethernet} GB/s, which is 10 Gb Ethernet. A peak that is not published is that of the next wider
precision.

{sections}"""


def budgets_page() -> str:
    """docs/budgets.md: thirty budgets and their shapes."""
    from budget_table import table

    return (
        "# Solved shapes\n\n"
        "What the solver makes of thirty parameter budgets where nothing else binds (offline,\n"
        "unlimited memory, 8k context). Printed by `python benchmarks/budget_table.py`.\n\n"
        f"{table()}\n"
    )


def published_page() -> str:
    """docs/published.md: the checkpoints that the tests hold the engine to."""
    models = json.loads((PACKAGE / "synth" / "published.json").read_text(encoding="utf-8"))
    rows = []
    for model in models:
        flops = f"{model['forward_flops']['total']:,}" if "forward_flops" in model else "–"
        cells = (model["name"], f"`{model['topology']}`", model.get("network", "–"))
        rows.append("| " + " | ".join((*cells, f"{model['params']:,}", flops)) + " |")
    listed = sum("reference" in model for model in models)
    return _PUBLISHED_PAGE.format(rows="\n".join(rows), models=len(models), listed=listed)


_PUBLISHED_PAGE = """# Published models

What the engine counts, set against what others released. With `architecture.dims` at the
dimensions of a published model, the blueprint has exactly its parameters; where FLOPs are given,
they are those that PyTorch counts in its forward pass. A *network* is the part of a release that
was published: the denoiser of a latent diffusion model, the language model over a codec. Every line
is a test (`tests/engine/test_published.py`), and all {models} hold to the last digit. Among them
are the {listed} reference models that the project set out with; none of those is missing.

| model | topology | network | parameters | forward FLOPs |
|---|---|---|---:|---:|
{rows}

## Not covered

| model | why |
|---|---|
| Latte-XL/2 | one modulation shared by all blocks, and a projection of captions |
| Stable Audio Open, AudioLDM | positions and conditions that our parts do not have |
| FLUX | single-stream blocks after the two-stream ones |
| Chronos as a forecaster | its T5 is counted above; values as tokens are not built |

What is not covered can still be asked for by its modalities: the nearest topology serves it, under
its own name.
"""


def constants_table() -> str:
    """The efficiencies that speeds are estimated with."""
    from metagen.synth import estimates as e

    rows = (
        (f"{e.MATRIX_EFFICIENCY:.0%} · k / (k + {e.HALF_LENGTH})",
         "of the arithmetic peak: products with a matrix of weights, sums of k terms"),
        (f"{e.PRODUCT_EFFICIENCY:.0%}", "of the arithmetic peak: attention and convolutions"),
        (f"{e.STREAM_EFFICIENCY:.0%}", "of the bandwidth: products"),
        (f"{e.TRAFFIC_EFFICIENCY:.0%}", "of the bandwidth: all other kernels"),
        (f"{e.LAUNCH * 1e6:g} µs", "between two launches; "
         f"{e.LAUNCH_SECONDS['edge'] * 1e6:g} µs on edge boards"),
        (f"{e.FUSED_TRAFFIC:.0%}", "of the traffic of kernels without products is left, compiled"),
        (f"{e.FUSED_LAUNCHES:.0%}", "of the launches are left, compiled"),
    )  # fmt: skip
    lines = ["| constant | is the share or time |", "|---|---|"]
    return "\n".join([*lines, *(f"| {value} | {text} |" for value, text in rows)])


def mutants_table() -> str:
    """How many changes of each module the tests notice, as `make mutants` found."""
    record = json.loads(MUTANTS.read_text(encoding="utf-8"))
    lines = ["| module | mutants | not noticed |", "|---|---:|---:|"]
    counts = {name: (held["mutants"], len(held["survivors"])) for name, held in record.items()}
    lines += [f"| `{name}` | {made:,} | {left} |" for name, (made, left) in counts.items()]
    made, left = map(sum, zip(*counts.values(), strict=True))
    return "\n".join([*lines, f"| **{1 - left / made:.1%} noticed** | {made:,} | {left} |"])


def estimates_blocks() -> dict[str, str]:
    """What traces and predictions are compared with, and the constants of the latter."""
    import anchors
    import cpu
    import traces

    return {
        "traces": traces.table(),
        "constants": constants_table(),
        "calibration": f"{anchors.table()}\nMeasured on {anchors.SETTING}.",
        "processor": cpu.table(),
    }


def estimators_page() -> str:
    """docs/estimators.md: other estimators beside the exact figures, and beside MetaGen's."""
    from estimators_page import page

    return page()


def gallery_page() -> str:
    """docs/gallery.md: what the tiny presets of the bundled specifications learned to make."""
    measured = json.loads((DOCS / "gallery" / "measured.json").read_text(encoding="utf-8"))
    parts = [_GALLERY_PAGE]
    for path in sorted(EXAMPLES.rglob("*.yaml"), key=lambda p: (p.parent.name, p.stem)):
        entry = measured.get(path.stem)
        if entry is None:
            continue
        head = [str(column) for column in entry["columns"]]
        rows = [[f"{c:.4g}" if isinstance(c, float) else "–" if c is None else str(c) for c in row]
                for row in entry["rows"]]  # fmt: skip
        parts += [
            f"## {path.stem}",
            "",
            f"Trained for {entry['train_seconds']:g} s, {entry['train_cpu_seconds']:g} s of them "
            f"busy ({entry['machine']}). {entry['context']}.",
            "",
            "| " + " | ".join(head) + " |",
            "|" + "---|" * len(head),
            *("| " + " | ".join(row) + " |" for row in rows),
            "",
            *(f"![{path.stem}](gallery/{name}){{ loading=lazy }}\n" for name in entry["pictures"]),
        ]
    return "\n".join(parts)


_GALLERY_PAGE = """# Gallery

What came out of the bundled specifications: each repository trained its tiny preset on a processor
with its own `make train`, and `make eval` and `make infer` made what is shown. These models are
toys of a few hundred thousand parameters on built-in data; the figures are measured, beside the
trivial predictor that each must beat. Made by `python benchmarks/gallery.py`.
"""


def filled(page: Path, blocks: dict[str, str]) -> str:
    """A page with its marked blocks replaced."""
    text = page.read_text(encoding="utf-8")
    for name, content in blocks.items():
        begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
        before, rest = text.split(begin)
        after = rest.split(end)[1]
        text = f"{before}{begin}\n\n{content.strip()}\n\n{end}{after}"
    return text


def fence(language: str, text: str) -> str:
    """A fenced block."""
    return f"```{language}\n{text.strip()}\n```"


def pages() -> dict[Path, str]:
    """Every generated file with its current content."""
    from render_paper import evidence

    from metagen.specs import reference

    demo, files = record_demo()
    if TRANSCRIPT.exists() and timeless(TRANSCRIPT.read_text(encoding="utf-8")) == timeless(demo):
        demo = TRANSCRIPT.read_text(encoding="utf-8")
    example = fence("yaml", (EXAMPLES / "text/text_llm_8b.yaml").read_text(encoding="utf-8"))
    readme = {
        "example": example,
        "demo": fence("console", demo),
        "commands": commands_table(),
        "evidence": evidence(),
        "tree": fence("text", files),
    }
    language = {
        "example": example,
        "fields": reference.field_tables(),
        "quantities": reference.quantity_table(),
        "vocabularies": reference.vocabulary_tables(),
        "approximations": reference.approximation_table(),
        "dims": reference.dims_table(),
    }
    made = {README: filled(README, readme)}
    for page in PAGES:
        made[page] = played(made.get(page) or page.read_text(encoding="utf-8"), page.name)
    return made | {
        LANGUAGE: filled(LANGUAGE, language),
        ARCHITECTURE: filled(ARCHITECTURE, {"rooms": rooms()}),
        ESTIMATES: filled(ESTIMATES, estimates_blocks()),
        RELIABILITY: filled(RELIABILITY, {"mutants": mutants_table()}),
        TRANSCRIPT: demo,
        DOCS / "cli.md": cli_page(),
        DOCS / "specs.md": specs_page(),
        DOCS / "routing.md": routing_page(),
        DOCS / "devices.md": devices_page(),
        DOCS / "budgets.md": budgets_page(),
        DOCS / "published.md": published_page(),
        DOCS / "estimators.md": estimators_page(),
        DOCS / "gallery.md": gallery_page(),
        DOCS / "msl.schema.json": run(["schema"], ROOT),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = {
        path: text
        for path, text in pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    }
    for path, text in stale.items():
        print(f"{'out of date' if check else 'written'}: {path.relative_to(ROOT)}")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
