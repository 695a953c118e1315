"""The golden table: one SHA-256 of every example's text tree, the same in every environment.

    python tests/survival/golden.py EXAMPLE...      print `EXAMPLE DIGEST` lines
    python tests/survival/golden.py --write         render all examples and rewrite golden.json
    python tests/survival/golden.py --check         say which examples differ from golden.json

Rewriting is for changes that are meant; the diff of golden.json then says which examples changed.
A digest covers the path and bytes of every file but the figures, which depend on the version of
matplotlib, the manifest, which has their digests, and Copier's own keys in its answers file.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path

if __package__:
    from .rendering import no_figures
else:
    sys.path.insert(0, str(Path(__file__).parent))
    from rendering import no_figures

import metagen
from metagen.specs.loader import examples

TABLE = Path(__file__).with_name("golden.json")
ASIDE = {".metagen-manifest.json"}
COPIERS = ("_commit:", "_src_path:")


def digest(repository: Path) -> str:
    """The SHA-256 of a repository's text tree."""
    total = hashlib.sha256()
    for path in sorted(repository.rglob("*"), key=lambda p: p.relative_to(repository).as_posix()):
        name = path.relative_to(repository).as_posix()
        if path.is_dir() or name in ASIDE or "/figures/" in name or name.startswith(".git/"):
            continue
        content = path.read_bytes()
        if name == ".copier-answers.yml":
            kept = [line for line in content.decode().split("\n") if not line.startswith(COPIERS)]
            content = "\n".join(kept).encode()
        total.update(f"{name}\0{len(content)}\0".encode() + content)
    return total.hexdigest()


def digest_of(example: str, folder: Path) -> str:
    """The digest of an example, rendered into a fresh folder below `folder`."""
    with no_figures():
        return digest(metagen.synthesize(example, folder / example).path)


def main(arguments: list[str]) -> int:
    """Print, write or check; returns the exit status."""
    mode = arguments[0] if arguments and arguments[0].startswith("--") else ""
    names = arguments[1:] if mode else arguments
    with tempfile.TemporaryDirectory(prefix="metagen golden ") as folder:
        found = {n: digest_of(n, Path(folder)) for n in names or sorted(examples())}
    if mode == "--write":
        kept = json.loads(TABLE.read_text(encoding="utf-8")) if names else {}
        text = json.dumps(dict(sorted((kept | found).items())), indent=2) + "\n"
        TABLE.write_text(text, encoding="utf-8", newline="\n")
        return 0
    if mode == "--check":
        golden = json.loads(TABLE.read_text(encoding="utf-8"))
        differing = [name for name in found if found[name] != golden.get(name)]
        print("\n".join(differing) or "all as recorded")
        return bool(differing)
    print("\n".join(f"{name} {value}" for name, value in found.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
