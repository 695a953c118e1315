"""Make, train, evaluate and run the bundled specifications, and keep what they made for the docs.

    python benchmarks/gallery.py [NAME ...] [--keep FOLDER]

Every repository trains its tiny preset on the processor with its own `make train eval infer`.
Into docs/gallery/: `measured.json` (the evaluation table and the seconds of each) and the pictures
that inference wrote, which `docs/generate.py` sets on a page. Names that are not given stay as they
were measured before.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image

from metagen import synthesize
from metagen.specs.loader import examples

GALLERY = Path(__file__).resolve().parent.parent / "docs" / "gallery"
MEASURED = GALLERY / "measured.json"
WIDTH = 720  # pixels of a picture on the page
LARGEST = 400_000  # bytes of a moving picture that is worth its place


def make(repository: Path, target: str) -> None:
    """Run one target of a repository's Makefile with this environment."""
    subprocess.run(
        ["make", "--silent", target, f"PYTHON={sys.executable}"],
        cwd=repository, check=True, stdout=subprocess.DEVNULL,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
    )  # fmt: skip


def measure(name: str, folder: Path) -> dict:
    """Train, evaluate and run the repository of a bundled specification."""
    repository = synthesize(name, folder / name).path
    begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    make(repository, "train")
    seconds, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    make(repository, "eval")
    make(repository, "infer")
    table = json.loads((repository / "results" / "eval.json").read_text(encoding="utf-8"))
    return {
        "train_seconds": round(seconds, 1),
        "train_cpu_seconds": round(busy, 1),
        "context": table["context"],
        "columns": table["columns"],
        "rows": table["rows"],
        "pictures": [keep(path, name) for path in pictures(repository / "results")],
    }


def pictures(results: Path) -> list[Path]:
    """The sheets that inference wrote, not their single pictures, and one small moving picture."""
    stills, films = sorted(results.rglob("*.png")), sorted(results.rglob("*.gif"))
    sheets = [path for path in stills if not path.stem[-1].isdigit()] or stills[:2]
    return sheets + [path for path in films if path.stat().st_size < LARGEST][:1]


def keep(path: Path, name: str) -> str:
    """Copy a picture into the gallery, no wider than a page; return its name there."""
    target = GALLERY / f"{name}_{path.name}"
    if path.suffix == ".gif":
        target.write_bytes(path.read_bytes())
        return target.name
    picture = Image.open(path).convert("RGB")
    picture.thumbnail((WIDTH, 4 * WIDTH))
    picture.quantize(128).save(target, optimize=True)
    return target.name


def main() -> None:
    """Measure what is named, or everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="bundled specifications; all of them by default")
    parser.add_argument("--keep", type=Path, help="folder for the repositories")
    arguments = parser.parse_args()
    GALLERY.mkdir(exist_ok=True)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, PyTorch {torch.__version__}"
    with tempfile.TemporaryDirectory() as scratch:
        for name in arguments.names or examples():
            known = json.loads(MEASURED.read_text("utf-8")) if MEASURED.exists() else {}
            for old in known.get(name, {}).get("pictures", ()):
                (GALLERY / old).unlink(missing_ok=True)
            known[name] = measure(name, arguments.keep or Path(scratch)) | {"machine": machine}
            text = json.dumps(dict(sorted(known.items())), indent=1, ensure_ascii=False)
            MEASURED.write_text(text + "\n", "utf-8")
            print(
                f"{name}: {known[name]['train_cpu_seconds']} s, {known[name]['rows']}", flush=True
            )


if __name__ == "__main__":
    main()
