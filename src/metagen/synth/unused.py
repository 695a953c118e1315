"""Programs of one release without the functions and constants that nothing in it names."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from .specialise import merged_imports

_IMPORTS = (ast.Import, ast.ImportFrom)


def without_unused(programs: Mapping[str, str], readers: Iterable[str]) -> dict[str, str]:
    """`programs` without top-level functions and constants that nobody names.

    A name counts as used wherever it occurs outside its own definition, in another program or in
    one of the `readers`; what is left over may make something else unused, so it is done until
    nothing changes. Names with underscores on both sides are kept.
    """
    kept = dict(programs)
    read = set().union(*map(_names, readers))
    while True:
        mentions = Counter(read)
        statements: dict[str, list[tuple[ast.stmt, str]]] = {}
        for name, source in kept.items():
            lines = source.splitlines()
            statements[name] = []
            for node in ast.parse(source).body:
                names = _names("\n".join(lines[node.lineno - 1 : node.end_lineno]))
                statements[name].append((node, _defined(node)))
                mentions.update(names)
        unused = {
            name: [node for node, defined in found if defined and mentions[defined] == 1]
            for name, found in statements.items()
        }
        if not any(unused.values()):
            return kept
        for name, nodes in unused.items():
            if nodes:
                kept[name] = _without_idle_imports(_without(kept[name], nodes))


def _defined(node: ast.stmt) -> str:
    """The name that a function or the assignment of a constant defines, else nothing."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        name = node.name
    elif isinstance(node, ast.Assign) and len(node.targets) == 1:
        name = getattr(node.targets[0], "id", "")
    else:
        name = ""
    return "" if name.startswith("__") else name


def _names(source: str) -> set[str]:
    """Every word of some code but those of comments and docstrings."""
    return set(re.findall(r"\w+", re.sub(r'"""[\s\S]*?"""|#.*', "", source)))


def _without(source: str, nodes: list[ast.stmt]) -> str:
    """A module without some of its statements, and the comments above them."""
    lines = source.splitlines(keepends=True)
    for node in reversed(nodes):
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        while first > 1 and lines[first - 2].startswith("#"):
            first -= 1
        del lines[first - 1 : node.end_lineno]
    return re.sub(r"\n{4,}", "\n\n\n", "".join(lines)).rstrip() + "\n"


def _without_idle_imports(source: str) -> str:
    """A module that imports at its head only what it names."""
    module = ast.parse(source)
    imports = [node for node in module.body if isinstance(node, _IMPORTS)]
    if not imports:
        return source
    first, last = imports[0].lineno - 1, imports[-1].end_lineno
    lines = source.splitlines(keepends=True)
    names = set().union(*_used(module))
    head = "".join(lines[:first]) + merged_imports([module], names, set(), {})
    rest = "".join(lines[last:]).lstrip("\n")
    constant = re.match(r"(#.*\n)*\w+ *[:=]", rest)
    return head + ("\n" if constant else "\n\n") + rest


def _used(module: ast.Module) -> Iterator[set[str]]:
    """The names that each statement but the imports at the head makes use of, or exports."""
    for node in module.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            yield set(ast.literal_eval(node.value))
        elif not isinstance(node, _IMPORTS):
            yield {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
