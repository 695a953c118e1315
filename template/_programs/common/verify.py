"""Check that documents, blueprint and model state the same figures.

    python -m PACKAGE.verify

Every figure of the Markdown files carries its key, as in `1.5B<!--=total_params-->`, and the paper
takes its figures from `paper/ledger.tex`: both must say what `blueprint/ledger.json` says. The
model must have exactly the tensors of `blueprint/state_dict.json`. Without PyTorch only the
documents are checked. What differs is listed, with exit status 1.
"""

import html
import importlib.util
import json
import re
import sys
from pathlib import Path

from .config import Config

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
}


def check_markdown(root: Path, texts: dict[str, str]) -> tuple[int, list[str]]:
    """Compare every marked figure of the Markdown files; return their number and what differs."""
    count, problems = 0, []
    for path in [*sorted(root.glob("*.md")), *sorted(root.glob("docs/**/*.md"))]:
        page = path.read_text(encoding="utf-8")
        for mark in MARK.finditer(page):
            count += 1
            line = page.count("\n", 0, mark.start()) + 1
            where = f"{path.relative_to(root)}:{line}"
            before = html.unescape(re.sub(r"\\(\W)", r"\1", page[: mark.start()].split("\n")[-1]))
            text = texts.get(mark[1])
            if text is None:
                problems.append(f"{where}: {mark[1]} is not in the ledger")
            elif not before.endswith(text) or re.search(r"[\w.]$", before[: -len(text)]):
                problems.append(f"{where}: {mark[1]} is {text} in the ledger")
    return count, problems


def check_latex(root: Path, texts: dict[str, str]) -> tuple[int, list[str]]:
    """Compare the paper's definitions with the ledger and its uses with the definitions."""
    count, problems = 0, []
    ledger = root / "paper" / "ledger.tex"
    if not ledger.exists():
        return count, problems
    defined = dict(DEFINITION.findall(ledger.read_text(encoding="utf-8")))
    for key, definition in defined.items():
        if untex(definition) != texts.get(key):
            problems.append(f"paper/ledger.tex: {key} is {texts.get(key)} in the ledger")
    for path in sorted(root.glob("paper/**/*.tex")):
        for key in MACRO.findall(path.read_text(encoding="utf-8")):
            count += 1
            if key not in defined:
                problems.append(f"{path.relative_to(root)}: {key} is not in paper/ledger.tex")
    return count, problems


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

    blueprint = json.loads((root / "blueprint" / "state_dict.json").read_text(encoding="utf-8"))
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
    problems = [
        f"{name}: blueprint {expected.get(name, 'nothing')}, model {found.get(name, 'nothing')}"
        for name in sorted(expected.keys() | found.keys())
        if expected.get(name) != found.get(name)
    ]
    total = sum(p.numel() for p in model.parameters())
    if total != blueprint["total_params"]:
        problems.append(f"total_params: blueprint {blueprint['total_params']}, model {total}")
    return len(found), problems


def verify(root: Path = Path(".")) -> list[str]:
    """Check everything below `root`, print the counts and return what differs."""
    ledger = json.loads((root / "blueprint" / "ledger.json").read_text(encoding="utf-8"))
    texts = {key: figure["text"] for key, figure in ledger["figures"].items()}
    checks = {"figures in Markdown": check_markdown(root, texts)}
    checks["figures in the paper"] = check_latex(root, texts)
    if importlib.util.find_spec("torch"):
        checks["tensors of the model"] = check_model(root)
    else:
        print("the model was not checked: PyTorch is not installed")
    for subject, (count, _) in checks.items():
        print(f"{count:>6,} {subject}")
    return [problem for _, problems in checks.values() for problem in problems]


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
