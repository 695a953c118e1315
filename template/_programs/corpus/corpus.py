"""The prepared corpus of a run: where it lies, and what it was made from."""

import hashlib
import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .config import Config


def corpus_folder(config: Config) -> Path:
    """Where the prepared corpus of a run lies."""
    return Path(config.run_dir) / "corpus"


def empty_corpus(config: Config) -> Path:
    """The folder of a corpus that is to be written, without anything that was there before."""
    folder = corpus_folder(config)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def read_record(config: Config) -> dict[str, Any]:
    """What `write_record` wrote about the corpus; nothing before there is one."""
    path = corpus_folder(config) / "corpus.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write_record(config: Config, record: dict[str, Any]) -> None:
    """Complete the corpus with what is known about it, its `source` among that."""
    path = corpus_folder(config) / "corpus.json"
    path.write_text(json.dumps(record) + "\n", encoding="utf-8")


def fingerprint(config: Config, files: Iterable[Path], *settings: str) -> str:
    """A digest of what decides a corpus: settings, and the sizes and dates of its files."""
    values = asdict(config)
    parts = [values.get(name) for name in ("data", "seed", "val_fraction", *settings)]
    for file in files:
        parts += [str(file), file.stat().st_size, file.stat().st_mtime_ns]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
