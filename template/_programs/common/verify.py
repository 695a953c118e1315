"""Check that documents, blueprint and model state the same figures.

    python -m PACKAGE.verify

Every figure of the Markdown files carries its key, as in `1.5B<!--=total_params-->`, and the paper
takes its figures from `paper/ledger.tex`: both must say what `blueprint/ledger.json` says. The
blueprint and the summary must have the figures that were generated, of which `blueprint/seal.json`
holds a checksum for each line. The model must have exactly the tensors of
`blueprint/state_dict.json`; without PyTorch only the documents are checked. Your code, your words,
and figures that you add are yours. What differs is listed, with exit status 1.
"""

import html
import importlib.util
import json
import re
import sys
from binascii import crc_hqx
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from .config import Config

FIGURES = re.compile(r'(?!(?:\\listline.0..|\s*"?)(?:description|spec_id)"?:|metagen ).*[0-9]')
MARK = re.compile(r"<!--=([\w.-]+)-->")
MACRO = re.compile(r"\\fig\{([\w.-]+)\}")
DEFINITION = re.compile(r"^\\definefigure\{([\w.-]+)\}\{(.*)\}$", re.MULTILINE)
TEX_CHARACTERS = {
    r"\ensuremath{\times}": "×",
    r"\ensuremath{\infty}": "∞",
    r"\ensuremath{\pm}": "±",
    r"\ensuremath{\cdot}": "·",
    r"\ensuremath{\approx}": "≈",
    r"\textasciitilde{}": "~",
    r"\textminus{}": "−",
    r"\textless{}": "<",
    r"\textgreater{}": ">",
    "---": "—",
    "--": "–",
    "~": "\u00a0",
    r"\allowbreak{}": "",
}


class Unreadable(ValueError):
    """A file of the blueprint is missing or no JSON; the message has its name, and line."""


def read_json(root: Path, name: str) -> dict[str, Any]:
    """A JSON file of the repository; raise `Unreadable` where there is none."""
    try:
        return json.loads((root / name).read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise Unreadable(f"{name}:{error.lineno}: {error.msg}") from None
    except OSError as error:
        raise Unreadable(f"{name}: {error.strerror}") from None


def read_ledger(root: Path) -> dict[str, str]:
    """The text of every figure by key, and how it was obtained by `key.method`."""
    figures = read_json(root, "blueprint/ledger.json")["figures"].items()
    methods = {f"{key}.method": figure["method"] for key, figure in figures}
    return {key: figure["text"] for key, figure in figures} | methods


def check_markdown(root: Path) -> tuple[int, list[str]]:
    """Compare every marked figure of the Markdown files; return their number and what differs."""
    texts, count, problems = read_ledger(root), 0, []
    for path in [*sorted(root.glob("*.md")), *sorted(root.glob("docs/**/*.md"))]:
        page = path.read_text(encoding="utf-8")
        for mark in MARK.finditer(page):
            count += 1
            where = f"{path.relative_to(root)}:{line_of(page, mark.start())}"
            before = html.unescape(re.sub(r"\\(\W)", r"\1", page[: mark.start()].split("\n")[-1]))
            text = texts.get(mark[1])
            if text is None:
                problems.append(f"{where}: {mark[1]} is not in the ledger")
            elif not before.endswith(text) or re.search(r"[\w.,]$", before[: -len(text)]):
                problems.append(f"{where}: {mark[1]} is {text} in the ledger")
    return count, problems


def check_latex(root: Path) -> tuple[int, list[str]]:
    """Compare the paper's definitions with the ledger and its uses with the definitions."""
    texts, count, problems = read_ledger(root), 0, []
    ledger = root / "paper" / "ledger.tex"
    if not ledger.parent.is_dir():
        return count, problems
    page = ledger.read_text(encoding="utf-8") if ledger.exists() else ""
    defined = set()
    for definition in DEFINITION.finditer(page):
        key, text = definition.groups()
        defined.add(key)
        if untex(text) != texts.get(key):
            where = f"paper/ledger.tex:{line_of(page, definition.start())}"
            problems.append(f"{where}: {key} is {texts.get(key)} in the ledger")
    figures = (key for key in texts if not key.endswith(".method"))
    problems += [f"paper/ledger.tex:1: {key} is missing" for key in figures if key not in defined]
    for path in sorted(root.glob("paper/**/*.tex")):
        page = path.read_text(encoding="utf-8")
        for use in MACRO.finditer(page):
            count += 1
            if use[1] not in defined:
                where = f"{path.relative_to(root)}:{line_of(page, use.start())}"
                problems.append(f"{where}: {use[1]} is not in paper/ledger.tex")
    return count, problems


def check_data(root: Path) -> tuple[int, list[str]]:
    """Compare the lines of generated data that hold a digit with the checksums of the seal."""
    count, problems = 0, []
    for name, sums in read_json(root, "blueprint/seal.json").items():
        path = root / name
        if not path.exists():
            continue
        lines = path.read_text(encoding="utf-8").split("\n")
        numbers = [n for n, line in enumerate(lines, 1) if FIGURES.match(line)]
        found = [f"{crc_hqx(lines[n - 1].strip().encode(), 0):04x}" for n in numbers]
        expected = [sums[i : i + 4] for i in range(0, len(sums), 4)]
        count += len(expected)
        for i in differing(expected, found):
            line = numbers[min(i, len(numbers) - 1)] if numbers else 1
            problems.append(f"{name}:{line}: a figure is not the one that was generated")
    return count, problems


def differing(expected: list[str], found: list[str]) -> list[int]:
    """Where `found` lacks what is expected; lines that somebody has added do not count."""
    if len(expected) == len(found):
        return [i for i, pair in enumerate(zip(expected, found, strict=True)) if len(set(pair)) > 1]
    changes = SequenceMatcher(None, expected, found, autojunk=False).get_opcodes()
    return [first for change, _, _, first, _ in changes if change in ("replace", "delete")]


def line_of(page: str, position: int) -> int:
    """The line, from 1, that a position lies on."""
    return page.count("\n", 0, position) + 1


def untex(text: str) -> str:
    """The characters that a figure's LaTeX prints."""
    for macro, character in TEX_CHARACTERS.items():
        text = text.replace(macro, character)
    return re.sub(r"\\([%$&#_])|\{\}", r"\1", text)


def check_model(root: Path) -> tuple[int, list[str]]:
    """Compare the model on the meta device with the blueprint, tensor by tensor."""
    import torch

    from .model import build_model
    from .parallel import aliases

    blueprint = read_json(root, "blueprint/state_dict.json")
    with torch.device("meta"):
        model = build_model(Config.full())
    parameters = dict(model.named_parameters(remove_duplicate=False))
    ties = aliases(model)
    found = {
        name: {
            "shape": list(tensor.shape),
            "kind": "parameter" if name in parameters else "buffer",
            "trainable": name in parameters and parameters[name].requires_grad,
            "tied_to": ties.get(name),
        }
        for name, tensor in model.state_dict().items()
    }
    expected = blueprint["tensors"]
    unequal = {
        name: f"blueprint {expected.get(name, 'nothing')}, model {found.get(name, 'nothing')}"
        for name in sorted(expected.keys() | found.keys())
        if expected.get(name) != found.get(name)
    }
    total = sum(p.numel() for p in model.parameters())
    if total != blueprint["total_params"]:
        unequal["total_params"] = f"blueprint {blueprint['total_params']}, model {total}"
    page = (root / "blueprint" / "state_dict.json").read_text(encoding="utf-8")
    lines = {name: line_of(page, max(page.find(f'"{name}":'), 0)) for name in unequal}
    problems = [
        f"blueprint/state_dict.json:{lines[name]}: {name}: {what}" for name, what in unequal.items()
    ]
    return len(found), problems


CHECKS = {
    "figures in Markdown": check_markdown,
    "figures in the paper": check_latex,
    "lines of data with figures": check_data,
    "tensors of the model": check_model,
}


def verify(root: Path = Path(".")) -> list[str]:
    """Check everything below `root`, print the counts and return what differs."""
    problems = []
    for subject, check in CHECKS.items():
        if check is check_model and not importlib.util.find_spec("torch"):
            print("the model was not checked: PyTorch is not installed")
            continue
        try:
            count, found = check(root)
        except Unreadable as error:
            count, found = 0, [str(error)]
        print(f"{count:>6,} {subject}")
        problems += [problem for problem in found if problem not in problems]
    return problems


def main() -> None:
    """Verify the repository in the current folder."""
    problems = verify()
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        sys.exit(f"error: {len(problems)} figures or tensors differ")
    print("everything agrees")


if __name__ == "__main__":
    main()
