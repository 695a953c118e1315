"""The only source of randomness: `random.Random` on SHA-256."""

from __future__ import annotations

import hashlib
import json
import random
from typing import Any


def digest(value: Any) -> str:
    """Hexadecimal SHA-256 of a plain value in canonical JSON (sorted keys, no spaces)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def rng(*scope: Any) -> random.Random:
    """A generator that depends on `scope` alone; the same scope draws the same numbers."""
    return random.Random(int(digest(list(scope)), 16))
