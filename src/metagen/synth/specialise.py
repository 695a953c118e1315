"""Source code for a release: parts specialised to its switches, joined, with nothing unused.

The part files under `template/_parts` and the programs under `template/_programs` are ordinary
Python with every option in it, read as `config.<switch>`. Specialising replaces each switch by its
value, folds the conditions that become constant, and deletes what can no longer be reached.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_UNKNOWN = object()
_WAYS_OUT = (ast.Return, ast.Raise, ast.Continue, ast.Break)
_ATOMS = (ast.Name, ast.Attribute, ast.Call, ast.Constant, ast.Subscript)


def specialise(source: str, switches: Mapping[str, Any]) -> str:
    """`source` with every `config.<switch>` replaced by its value and dead branches deleted."""
    mentions = re.compile(r"\bconfig\.(" + "|".join(map(re.escape, switches)) + r")\b")
    folded = source
    while mentions.search(folded):
        edit = _first_edits(folded, switches)
        if not edit:
            break
        folded = _apply(folded, edit)
    return source if folded == source else _without_idle_config(_without_unreachable(folded))


def _without_unreachable(source: str) -> str:
    """Drop what follows a `return`, or another way out, in the same block."""
    text = _Text(source)
    edits: list[_Edit] = []

    def visit(statements: list[ast.stmt]) -> None:
        for i, statement in enumerate(statements):
            for block in ("body", "orelse", "handlers", "finalbody"):
                visit(getattr(statement, block, []))
            if isinstance(statement, _WAYS_OUT) and i + 1 < len(statements):
                first, last = statement.end_lineno, statements[-1].end_lineno
                edits.append(_Edit(text.starts[first], text.starts[last], ""))
                return

    visit(ast.parse(source).body)
    return _apply(source, edits)


def _without_idle_config(source: str) -> str:
    """Drop `self.config = config` from classes that no longer read it."""
    idle = "        self.config = config\n"
    classes = re.split(r"(?m)^(?=class )", source)
    return "".join(c.replace(idle, "") if c.count("self.config") == 1 else c for c in classes)


@dataclass(frozen=True)
class _Edit:
    """Replace the text between two offsets."""

    start: int
    end: int
    text: str


def _apply(source: str, edits: list[_Edit]) -> str:
    for edit in sorted(edits, key=lambda e: -e.start):
        source = source[: edit.start] + edit.text + source[edit.end :]
    return source


def _first_edits(source: str, switches: Mapping[str, Any]) -> list[_Edit]:
    """The outermost edits that one pass finds; they never overlap."""
    text = _Text(source)
    edits: list[_Edit] = []

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If):
            known = _evaluate(node.test, switches)
            if known is not _UNKNOWN:
                edits.append(text.fold_if(node, bool(known)))
                return
        if isinstance(node, ast.expr) and (replacement := _simplify(node, switches, text)):
            edits.append(text.replace_expression(node, replacement))
            return
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(source))
    return edits


def _switch(node: ast.AST, switches: Mapping[str, Any]) -> Any:
    """The value of `config.<switch>` or `self.config.<switch>`."""
    if not isinstance(node, ast.Attribute) or node.attr not in switches:
        return _UNKNOWN
    owner = node.value
    name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
    return switches[node.attr] if name == "config" else _UNKNOWN


def _evaluate(node: ast.expr, switches: Mapping[str, Any]) -> Any:
    """The constant that an expression is under the switches, or `_UNKNOWN`."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Attribute):
        return _switch(node, switches)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        value = _evaluate(node.operand, switches)
        return _UNKNOWN if value is _UNKNOWN else not value
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        left = _evaluate(node.left, switches)
        right = _evaluate(node.comparators[0], switches)
        return _UNKNOWN if _UNKNOWN in (left, right) else _compare(node.ops[0], left, right)
    if isinstance(node, ast.BoolOp):
        return _evaluate_bool(node, switches)
    if isinstance(node, ast.Tuple):
        values = [_evaluate(element, switches) for element in node.elts]
        return _UNKNOWN if _UNKNOWN in values else tuple(values)
    return _UNKNOWN


def _evaluate_bool(node: ast.BoolOp, switches: Mapping[str, Any]) -> Any:
    decisive = isinstance(node.op, ast.Or)
    values = [_evaluate(value, switches) for value in node.values]
    if any(v is not _UNKNOWN and bool(v) is decisive for v in values):
        return decisive
    return _UNKNOWN if _UNKNOWN in values else not decisive


def _compare(op: ast.cmpop, left: Any, right: Any) -> Any:
    operations = {
        ast.Eq: lambda: left == right,
        ast.NotEq: lambda: left != right,
        ast.Lt: lambda: left < right,
        ast.LtE: lambda: left <= right,
        ast.Gt: lambda: left > right,
        ast.GtE: lambda: left >= right,
        ast.In: lambda: left in right,
        ast.NotIn: lambda: left not in right,
        ast.Is: lambda: left is right,
        ast.IsNot: lambda: left is not right,
    }
    return operations[type(op)]()


def _simplify(node: ast.expr, switches: Mapping[str, Any], text: _Text) -> str | None:
    """The shorter source of an expression that the switches decide, wholly or in part."""
    if isinstance(node, ast.Constant) or _falls_back(node):
        return None
    if isinstance(node, ast.IfExp):
        test = _evaluate(node.test, switches)
        if test is not _UNKNOWN:
            return text.of(node.body if test else node.orelse)
        return None
    if isinstance(node, ast.Attribute | ast.Compare | ast.UnaryOp | ast.BoolOp):
        value = _evaluate(node, switches)
        if value is not _UNKNOWN:
            return literal(value)
    if isinstance(node, ast.BoolOp):
        open_values = [v for v in node.values if _evaluate(v, switches) is _UNKNOWN]
        if 0 < len(open_values) < len(node.values):
            joiner = " and " if isinstance(node.op, ast.And) else " or "
            return joiner.join(text.of(v) for v in open_values)
    return None


def _falls_back(node: ast.expr) -> bool:
    """Whether an expression is a value with a constant in reserve, such as `width or 1.0`."""
    reserves = ast.Constant | ast.Tuple | ast.List | ast.Dict
    return isinstance(node, ast.BoolOp) and any(isinstance(v, reserves) for v in node.values)


class _Text:
    """Source text addressed by AST nodes; offsets are in characters."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.lines = source.splitlines(keepends=True)
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))

    def offset(self, line: int, column: int) -> int:
        """Character offset of an AST position, whose columns count UTF-8 bytes."""
        text = self.lines[line - 1]
        if not text.isascii():
            column = len(text.encode()[:column].decode())
        return self.starts[line - 1] + column

    def span(self, node: ast.AST) -> tuple[int, int]:
        start = self.offset(node.lineno, node.col_offset)
        return start, self.offset(node.end_lineno, node.end_col_offset)

    def of(self, node: ast.AST) -> str:
        start, end = self.span(node)
        return self.source[start:end]

    def replace_expression(self, node: ast.expr, replacement: str) -> _Edit:
        """An edit that also drops grouping parentheses which the result no longer needs."""
        start, end = self.span(node)
        before, after = self.source[:start].rstrip(), self.source[end:].lstrip()
        grouped = before.endswith("(") and after.startswith(")")
        called = grouped and re.search(r"[\w)\]]\s*$", before[:-1].rpartition("\n")[2])
        keyword = called and re.search(r"\b(return|in|and|or|not|if|else|is)\s*$", before[:-1])
        if grouped and (not called or keyword) and _is_atom(replacement):
            start = len(before) - 1
            end = len(self.source) - len(after) + 1
        return _Edit(start, end, replacement)

    def fold_if(self, node: ast.If, taken: bool) -> _Edit:
        """Replace an `if` statement by the branch that is taken, dedented, or by nothing."""
        first, last = node.lineno, self._block_end(node)
        is_elif = self.lines[first - 1].lstrip().startswith("elif")
        body_end = self._block_end_of(node.body[-1].end_lineno, node.col_offset)
        chained = bool(node.orelse) and self._is_elif(node.orelse[0], node)
        if taken:
            kept = self._dedented(
                node.test.end_lineno + 1, body_end, node.body[0].col_offset - node.col_offset
            )
            if is_elif:
                kept = (
                    " " * node.col_offset
                    + "else:\n"
                    + "".join(self.lines[node.test.end_lineno : body_end])
                )
        elif chained:
            rest = self.lines[node.orelse[0].lineno - 1 : last]
            kept = "".join(rest) if is_elif else "".join(rest).replace("elif", "if", 1)
        elif node.orelse:
            else_line = self._else_line(body_end, node)
            kept = (
                "".join(self.lines[else_line - 1 : last])
                if is_elif
                else self._dedented(
                    else_line + 1, last, node.orelse[0].col_offset - node.col_offset
                )
            )
        else:
            kept = ""
        if not kept:
            first = self._leading_comment(first, node.col_offset)
            if first > 1 and last < len(self.lines):
                blank_above = not self.lines[first - 2].strip()
                if blank_above and not self.lines[last].strip():
                    last += 1
        return _Edit(self.starts[first - 1], self.starts[last], kept)

    def _block_end(self, node: ast.If) -> int:
        return self._block_end_of(node.end_lineno, node.col_offset)

    def _block_end_of(self, line: int, indent: int) -> int:
        """The last line of a block, trailing comments of its own indentation included."""
        end = line
        for number in range(line + 1, len(self.lines) + 1):
            text = self.lines[number - 1]
            if not text.strip():
                continue
            if not text.lstrip().startswith("#") or len(text) - len(text.lstrip()) <= indent:
                break
            end = number
        return end

    def _is_elif(self, node: ast.AST, parent: ast.If) -> bool:
        return isinstance(node, ast.If) and self.lines[node.lineno - 1].lstrip().startswith("elif")

    def _else_line(self, after: int, node: ast.If) -> int:
        wanted = " " * node.col_offset + "else:"
        return next(
            n for n in range(after + 1, len(self.lines) + 1) if self.lines[n - 1].startswith(wanted)
        )

    def _leading_comment(self, line: int, indent: int) -> int:
        while line > 1 and self.lines[line - 2].startswith(" " * indent + "#"):
            line -= 1
        return line

    def _dedented(self, first: int, last: int, by: int) -> str:
        lines = self.lines[first - 1 : last]
        return "".join(line.removeprefix(" " * by) for line in lines)


def _is_atom(text: str) -> bool:
    return isinstance(ast.parse(text.strip(), mode="eval").body, _ATOMS)


def literal(value: Any) -> str:
    """A Python literal in the style of the formatter: double quotes, grouped digits."""
    if isinstance(value, str):
        quoted = repr(value)
        return f'"{quoted[1:-1]}"' if quoted.startswith("'") and '"' not in quoted else quoted
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10_000:
        return f"{value:_}"
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, tuple | list):
        inner = ", ".join(literal(v) for v in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return repr(value)


def _float(value: float) -> str:
    if value.is_integer() and 1e5 <= abs(value) < 1e15:
        return f"{value:_.1f}"
    return repr(value)


_SIBLINGS = re.compile(r"^from \.(\w+) import (\([^)]*\)|[^(\n]*)$", re.MULTILINE)


def imported_siblings(source: str) -> Iterator[tuple[str, set[str]]]:
    """`(module, names)` of every import from the same package."""
    for module, listed in _SIBLINGS.findall(source):
        yield module, set(re.findall(r"\w+", listed))


def join_parts(
    parts: Mapping[str, str], top: str | None, keep: tuple[str, ...], homes: Mapping[str, str]
) -> str:
    """One module from part sources, in dependency order, with nothing that `keep` does not reach.

    Args:
        parts: specialised sources by part name.
        top: the part whose docstring opens the module; None for parts that several files share.
        keep: the names that the module exports.
        homes: the generated file of every part, for imports from parts that live elsewhere.
    """
    modules = {name: ast.parse(source) for name, source in parts.items()}
    order: list[str] = []
    for name in [top] if top else sorted(modules):
        if name not in order:
            _visit_dependencies(name, modules, order)
    chunks = [chunk for name in order for chunk in _chunks(parts[name], modules[name])]
    used = _reachable(chunks, keep)
    body = [chunk for chunk in chunks if not chunk.defines or chunk.defines & used]
    names = set().union(*(chunk.uses for chunk in body))
    imports = merged_imports([modules[name] for name in order], names, set(parts), homes)
    docstring = ast.get_docstring(modules[top], clean=False) if top else _SHARED
    code = _separated(body)
    head = f'"""{_with_letters_of(code, docstring)}"""\n\n' if docstring else ""
    return head + imports + code


_LETTERS = re.compile(r"    (\w'?(?:, \w'?)*)  \S")
_SECOND = 37  # where a legend's second column begins


def _with_letters_of(code: str, docstring: str) -> str:
    """A docstring whose legend lists only letters that occur in the code below it."""
    lines = docstring.splitlines(keepends=True)
    read = code + "".join(line for line in lines if not _LETTERS.match(line))
    return "".join(_legend_line(line, read) if _LETTERS.match(line) else line for line in lines)


def _legend_line(line: str, code: str) -> str:
    """One line of a legend, of one entry or two, without those whose letters do not occur."""
    two = len(line) > _SECOND and line[_SECOND - 2 : _SECOND] == "  "
    entries = [line[4:_SECOND].rstrip(), line[_SECOND:].rstrip()] if two else [line[4:].rstrip()]
    kept = [entry for entry in entries if _is_needed(entry, code)]
    return f"    {kept[0]:<33}{''.join(kept[1:])}".rstrip() + "\n" if kept else ""


def _is_needed(entry: str, code: str) -> bool:
    """Whether one of the letters that an entry of a legend explains occurs in some code."""
    declared = _LETTERS.match(f"    {entry}")
    letters = [*(declared[1].split(", ") if declared else ()), *re.findall(r"\b[A-Z]\b", entry)]
    return not declared or any(re.search(rf"\b{letter}\b", code) for letter in letters)


_SHARED = "Layers that several networks of this model have in common."


@dataclass(frozen=True)
class _Chunk:
    """One top-level statement with the comments above it."""

    text: str
    defines: frozenset[str]
    uses: frozenset[str]
    is_block: bool


def _visit_dependencies(name: str, modules: Mapping[str, ast.Module], order: list[str]) -> None:
    for node in modules[name].body:
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module in modules:
            if node.module not in order:
                _visit_dependencies(node.module, modules, order)
    if name not in order:
        order.append(name)


def _chunks(source: str, module: ast.Module) -> Iterator[_Chunk]:
    lines = source.splitlines(keepends=True)
    for node in module.body:
        if isinstance(node, ast.Import | ast.ImportFrom) or _is_docstring(node):
            continue
        start = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        while start > 1 and lines[start - 2].startswith("#"):
            start -= 1
        uses = frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name))
        block = isinstance(node, ast.ClassDef | ast.FunctionDef)
        text = "".join(lines[start - 1 : node.end_lineno])
        yield _Chunk(text.rstrip() + "\n", _defined(node), uses | _annotations(node), block)


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _defined(node: ast.stmt) -> frozenset[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return frozenset({node.name})
    if isinstance(node, ast.Assign):
        return frozenset(n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name))
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return frozenset({node.target.id})
    return frozenset()


def _annotations(node: ast.AST) -> frozenset[str]:
    """Names inside string annotations."""
    found: set[str] = set()
    for child in ast.walk(node):
        for annotation in (getattr(child, "annotation", None), getattr(child, "returns", None)):
            if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
                found |= set(re.findall(r"\w+", annotation.value))
    return frozenset(found)


def _reachable(chunks: list[_Chunk], keep: tuple[str, ...]) -> set[str]:
    by_name = {name: chunk for chunk in chunks for name in chunk.defines}
    reached: set[str] = set()
    pending = [*keep, *(n for c in chunks if not c.defines for n in c.uses)]
    while pending:
        name = pending.pop()
        if name in by_name and name not in reached:
            reached.add(name)
            pending.extend(by_name[name].uses)
    return reached


def _separated(chunks: list[_Chunk]) -> str:
    text = ""
    previous: _Chunk | None = None
    for chunk in chunks:
        far = chunk.is_block or (previous is not None and previous.is_block)
        gap = "\n\n" if far else "\n" if previous is None else ""
        text += gap + chunk.text
        previous = chunk
    return text


def merged_imports(
    modules: list[ast.Module], names: set[str], internal: set[str], homes: Mapping[str, str]
) -> str:
    """The imports that `names` need, merged and ordered as ruff's isort rules want them."""
    plain: set[tuple[str, str | None]] = set()
    members: dict[str, set[tuple[str, str | None]]] = {}
    for module in modules:
        for node in module.body:
            if isinstance(node, ast.Import):
                plain |= {
                    (a.name, a.asname)
                    for a in node.names
                    if (a.asname or a.name.partition(".")[0]) in names
                }
            elif isinstance(node, ast.ImportFrom):
                if node.level and node.module in internal:
                    continue
                module = node.module or ""
                origin = "." * node.level + (homes.get(module, module) if node.level else module)
                wanted = {
                    (a.name, a.asname)
                    for a in node.names
                    if (a.asname or a.name) in names or origin == "__future__"
                }
                if wanted:
                    members.setdefault(origin, set()).update(wanted)
    return _import_sections(plain, members)


def _import_sections(
    plain: set[tuple[str, str | None]], members: Mapping[str, set[tuple[str, str | None]]]
) -> str:
    sections: dict[int, list[str]] = {0: [], 1: [], 2: [], 3: []}
    for name, alias in sorted(plain, key=lambda p: p[0].lower()):
        sections[_section(name)].append(f"import {name}{f' as {alias}' if alias else ''}\n")
    for origin in sorted(members, key=str.lower):
        listed = sorted(members[origin], key=lambda m: (_member_rank(m[0]), m[0].lower()))
        items = [f"{n} as {a}" if a else n for n, a in listed]
        line = f"from {origin} import {', '.join(items)}\n"
        if len(line) > 101:
            line = f"from {origin} import (\n" + "".join(f"    {i},\n" for i in items) + ")\n"
        sections[_section(origin)].append(line)
    return "\n".join("".join(lines) for lines in sections.values() if lines)


def _section(origin: str) -> int:
    if origin == "__future__":
        return 0
    if origin.startswith("."):
        return 3
    return 1 if origin.partition(".")[0] in sys.stdlib_module_names else 2


def _member_rank(name: str) -> int:
    return 0 if name.isupper() else 1 if name[0].isupper() else 2
