"""Programs of one release without the functions and constants that nothing in it names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .imports import merged_imports
from .statements import defined, is_import, names_in, statements

_WORD = re.compile(r'"""[\s\S]*?"""|#.*|\w+')


def without_unused(programs: Mapping[str, str], readers: Iterable[str]) -> dict[str, str]:
    """`programs` without top-level functions and constants that nobody names.

    A name counts as used wherever it occurs outside its own definition, in another program or in
    one of the `readers`; what is left over may make something else unused, so it is done until
    nothing changes. Names with underscores on both sides are kept.
    """
    kept = dict(programs)
    read = set().union(*map(_words, readers))
    modules = {name: _read(source) for name, source in programs.items()}
    while True:
        everything = [statement for module in modules.values() for statement in module]
        candidates = frozenset().union(*(statement.defines for statement in everything))
        mentions = Counter(candidates & read)
        for statement in everything:
            mentions.update(candidates & statement.words)
        changed = [n for n, module in modules.items() if any(s.idle(mentions) for s in module)]
        if not changed:
            return kept
        for name in changed:
            kept[name] = _with_its_imports(_without_idle(modules[name], mentions))
            modules[name] = _read(kept[name])


@dataclass(frozen=True)
class _Statement:
    """A top-level statement, the names that it defines, and every word in it."""

    text: str
    defines: frozenset[str]
    words: set[str]

    def idle(self, mentions: Mapping[str, int]) -> bool:
        """Whether all that it defines is mentioned here alone."""
        return bool(self.defines) and all(
            mentions[name] == 1 and not name.startswith("__") for name in self.defines
        )


def _read(source: str) -> list[_Statement]:
    return [_Statement(text, defined(text), _words(text)) for text in statements(source)]


def _words(source: str) -> set[str]:
    """Every word of some code; comments and docstrings are among them as a whole."""
    return set(_WORD.findall(source))


def _without_idle(module: Iterable[_Statement], mentions: Mapping[str, int]) -> str:
    """A module without its idle statements, and the comments above them."""
    kept = (
        s.text[len(s.text.rstrip()) :].removeprefix("\n") if s.idle(mentions) else s.text
        for s in module
    )
    return re.sub(r"\n{4,}", "\n\n\n", "".join(kept)).rstrip() + "\n"


def _with_its_imports(source: str) -> str:
    """A module that imports at its head only what it names, or exports."""
    head, *body = statements(source)
    imports = [text for text in body if is_import(text)]
    if not imports:
        return source
    rest = [text for text in body if not is_import(text)]
    used = set().union(*(_words(t) if t.startswith("__all__") else names_in(t) for t in rest))
    defines = rest and re.match(r"\s*(#.*\n)*(@|class |def )", rest[0])
    gap = "\n\n" if defines else "\n"
    return head + merged_imports(imports, used, set(), {}) + gap + "".join(rest)
