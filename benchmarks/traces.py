"""Record what traces say of memory beside what PyTorch reports of the same passes.

    python benchmarks/traces.py [--out benchmarks/traces.json]

Runs `tests/engine/test_traces.py` and keeps the bytes that it compared, for every bundled
specification: what backward keeps and what is alive at once, in training (the tiny preset in fp32
and under bf16 autocast, the full one on tensors without memory) and in inference. Nothing of it
depends on the machine but the processor's kernels.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
RECORD = Path(__file__).with_suffix(".json")

#: Columns of the table: what is compared, and the test and quantity that it is from.
COLUMNS = {
    "saved, tiny, fp32": ("test_tiny_training", "fp32", "saved"),
    "saved, tiny, bf16": ("test_tiny_training", "bf16", "saved"),
    "saved, full, bf16": ("test_full_training", "", "saved"),
    "alive, tiny, bf16": ("test_tiny_training", "bf16", "peak"),
    "alive, full, bf16": ("test_full_training", "", "peak"),
    "alive, inference": ("test_inference", "", "peak"),
}
_CASE = re.compile(
    r"(?P<test>\w+)\[(?:(?P<mode>fp32|bf16)-)?(?P<example>\w+?)(?:-(?P<late>\w+))?\]"
)


def measure() -> dict[str, dict[str, list[float]]]:
    """Traced and reported bytes by example and column."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        tests = ROOT / "tests" / "engine" / "test_traces.py"
        command = [sys.executable, "-m", "pytest", "-q", "-n", "auto", str(tests)]
        subprocess.run([*command, f"--junitxml={report}"], cwd=ROOT, check=True)
        cases = list(ElementTree.parse(report).iter("testcase"))
    found: dict[str, dict[str, list[float]]] = {}
    for case in cases:
        match = _CASE.fullmatch(case.get("name", ""))
        for item in case.iter("property") if match else ():
            mode = match["mode"] or match["late"] or ""
            for column, (test, wanted, quantity) in COLUMNS.items():
                if match["test"].startswith(test) and item.get("name") == quantity:
                    if mode == wanted:
                        values = [float(number) for number in item.get("value").split()]
                        found.setdefault(match["example"], {})[column] = values
    return dict(sorted(found.items()))


def table() -> str:
    """Traced over reported bytes, in Markdown, from the record."""
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    lines = [f"| specification | {' | '.join(COLUMNS)} |", "|---|" + "---:|" * len(COLUMNS)]
    ratios = []
    for example, columns in record["examples"].items():
        cells = []
        for column in COLUMNS:
            traced, reported = columns[column]
            ratios.append(traced / reported)
            cells.append(f"{ratios[-1]:.3f}")
        lines.append(f"| `{example}` | {' | '.join(cells)} |")
    worst = max(abs(ratio - 1) for ratio in ratios)
    close = sum(abs(ratio - 1) < 0.01 for ratio in ratios)
    equal = sum(f"{ratio:.3f}" == "1.000" for ratio in ratios)
    said = (
        f"Of {len(ratios)} figures {equal} agree to three decimals, {close} within one per cent, "
        f"and all within {worst * 100:.1f} (PyTorch {record['torch']}, {record['machine']})."
    )
    return "\n".join([said, "", *lines])


def main() -> None:
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=RECORD)
    args = parser.parse_args()
    record = {
        "machine": f"{platform.machine()} CPU",
        "torch": version("torch"),
        "python": platform.python_version(),
        "examples": measure(),
    }
    args.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
