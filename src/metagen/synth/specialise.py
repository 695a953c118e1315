"""Source code specialised to the switches of a release, without what they make unreachable.

The part files under `template/_parts` and the programs under `template/_programs` are ordinary
Python with every option in it, read as `config.<switch>`. Specialising replaces each switch by its
value, folds the conditions that become constant, and deletes what can no longer be reached.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .statements import statements

_UNKNOWN = object()
_WAYS_OUT = (ast.Return, ast.Raise, ast.Continue, ast.Break)
#: A way out that something of the same indentation may follow.
_FOLLOWED = re.compile(
    r"^( +)(?:return|raise|continue|break)\b.*\n(?:(?:\1[ )\]}#].*)?\n)*\1\w", re.MULTILINE
)
_CLASS = "class _:\n"
_IS_CLASS = re.compile(r"^class ", re.MULTILINE)
_METHOD = re.compile(r"^(?:    [@#].*\n)*    def ", re.MULTILINE)
_ATOMS = (ast.Name, ast.Attribute, ast.Call, ast.Constant, ast.Subscript)


def specialise(source: str, switches: Mapping[str, Any]) -> str:
    """`source` with every `config.<switch>` replaced by its value and dead branches deleted."""
    mentions = re.compile(r"config\.(?:" + "|".join(map(re.escape, switches)) + r")\b")
    if not mentions.search(source):
        return source
    folded = "".join(_folded(text, mentions, switches) for text in statements(source))
    return source if folded == source else _without_idle_config(folded)


def _folded(statement: str, mentions: re.Pattern[str], switches: Mapping[str, Any]) -> str:
    """One statement specialised, a class method by method; the rest need not be parsed."""
    methods = _METHOD.finditer(statement) if _IS_CLASS.search(statement) else ()
    bounds = [0, *(method.start() for method in methods), len(statement)]
    pieces = (statement[a:b] for a, b in zip(bounds, bounds[1:], strict=False))
    head = _folded_piece(next(pieces), mentions, switches)
    bodies = (_folded_piece(_CLASS + piece, mentions, switches) for piece in pieces)
    return head + "".join(body.removeprefix(_CLASS) for body in bodies)


def _folded_piece(source: str, mentions: re.Pattern[str], switches: Mapping[str, Any]) -> str:
    folded = source
    while mentions.search(folded):
        edits = _first_edits(folded, mentions, switches)
        if not edits:
            break
        folded = _apply(folded, edits)
    changed = folded != source and _FOLLOWED.search(folded)
    return _without_unreachable(folded) if changed else folded


def _without_unreachable(source: str) -> str:
    """Drop what follows a `return`, or another way out, in the same block."""
    text = _Text(source)
    edits: list[_Edit] = []

    def visit(block: list[ast.stmt]) -> None:
        for i, statement in enumerate(block):
            for inner in ("body", "orelse", "handlers", "finalbody"):
                visit(getattr(statement, inner, []))
            if isinstance(statement, _WAYS_OUT) and i + 1 < len(block):
                first, last = statement.end_lineno, block[-1].end_lineno
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


def _first_edits(
    source: str, mentions: re.Pattern[str], switches: Mapping[str, Any]
) -> list[_Edit]:
    """The outermost edits that one pass finds; they never overlap.

    Only what stands on lines that mention a switch is looked at.
    """
    text = _Text(source)
    edits: list[_Edit] = []
    lines = [source.count("\n", 0, found.start()) + 1 for found in mentions.finditer(source)]

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.stmt | ast.expr):
            nearest = bisect_left(lines, node.lineno)
            if nearest == len(lines) or lines[nearest] > node.end_lineno:
                return
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
