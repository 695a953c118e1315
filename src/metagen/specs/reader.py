"""From the text of a document to plain data with positions, in bounded time and memory.

YAML is read from its events, so that aliases can be counted before they are expanded, duplicate
keys noticed, and every key and value located. Plain scalars follow the core schema of YAML 1.2,
the one JSON shares: only `true` and `false` are truth values, dates and sexagesimal numbers are
text, and a number with a leading zero is text too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from .errors import UNPRINTABLE, Problem, SpecError, dotted, show
from .fields import numeral

MAX_BYTES = 256 * 1024
MAX_DEPTH = 24
MAX_NODES = 5000

Location = tuple[str | int, ...]
Place = tuple[int, int]

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SURROGATES = re.compile(r"(?<!\\)((?:\\\\)*)\\u[dD][89abAB]..\\u[dD][c-fC-F]..")
_STRING_TAG = "tag:yaml.org,2002:str"
_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


@dataclass
class Document:
    """A document as plain data, where everything in it stands, and what is wrong so far."""

    data: Any = None
    values: dict[Location, Place] = field(default_factory=dict)
    keys: dict[Location, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def locate(self, location: Location, *, key: bool = False) -> Place | None:
        """Return where a key, or a value or its nearest container, stands; counted from 1."""
        if key and location in self.keys:
            return self.keys[location]
        while location and location not in self.values:
            location = location[:-1]
        return self.values.get(location)

    def place(self, problem: Problem) -> Problem:
        """Return `problem` with the position of the field that its path names."""
        path, places = problem.path, {dotted(at): place for at, place in self.values.items()}
        while path and path not in places:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        if problem.line is not None or path not in places:
            return problem
        line, column = places[path]
        return replace(problem, line=line, column=column)


@dataclass(frozen=True, slots=True)
class _Node:
    """A scalar's value, a list of nodes, or a list of (key, key place, node)."""

    kind: str
    value: Any
    place: Place


class _Refused(Exception):
    """Reading cannot go on; carries the problem."""


def read_bytes(raw: bytes, source: str) -> Document:
    """Read a UTF-8 document; see `read_document`.

    Raises:
        SpecError: it is not UTF-8.
    """
    if len(raw) > MAX_BYTES:
        raise SpecError([_too_large()], source)
    try:
        return read_document(raw.decode("utf-8-sig"), source)
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode()
        line, column = _place(before, len(before))
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8 text"
        problem = Problem("", message, "a YAML or JSON document in UTF-8", None, line, column)
        raise SpecError([problem], source) from None


def read_document(text: str, source: str) -> Document:
    """Read YAML or JSON text into a `Document`, whose `problems` the caller reports with its own.

    Raises:
        SpecError: there is no mapping to go on with.
    """
    document = Document()
    try:
        _check_text(text)
        root = _Composer(_yaml_of_json(text), document.problems).compose()
        document.data = _Builder(document).build(root, ())
        if not isinstance(document.data, dict):
            raise _Refused(no_mapping(document.data, *root.place))
    except _Refused as refusal:
        raise SpecError([*document.problems, refusal.args[0]], source) from None
    return document


def no_mapping(data: Any, line: int | None = None, column: int | None = None) -> Problem:
    """Say that `data` is no mapping, and so no specification."""
    found = "the document is empty" if data is None else f"{show(data)} is not a specification"
    allowed = "a mapping with metagen_version, name and modality"
    return Problem("", found, allowed, None, line, column)


def _too_large() -> Problem:
    return Problem("", "the file is too large", f"at most {MAX_BYTES // 1024} KiB")


def _place(text: str, offset: int) -> Place:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _check_text(text: str) -> None:
    if len(text) > MAX_BYTES:
        raise _Refused(_too_large())
    for found in UNPRINTABLE.finditer(text):
        if found[0] not in "\t\r\n":
            message = f"the character U+{ord(found[0]):04X} does not belong in a text file"
            allowed = "a YAML or JSON document in UTF-8"
            raise _Refused(Problem("", message, allowed, None, *_place(text, found.start())))


def _yaml_of_json(text: str) -> str:
    """Return JSON as the YAML of equal positions: no tabs, no surrogate pairs; YAML unchanged."""
    if not text.lstrip("\ufeff \t\r\n").startswith("{"):
        return text
    try:
        json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        return text

    def in_place(string: re.Match[str]) -> str:
        return _SURROGATES.sub(_character, string[0]).ljust(len(string[0]))

    return re.sub(r'"(?:[^"\\]|\\.)*"', in_place, text.replace("\t", " "))


def _character(found: re.Match[str]) -> str:
    character = json.loads('"' + found[0].removeprefix(found[1]) + '"')
    return f"{found[1]}\\U{ord(character):08x}"


class _Composer:
    """Reads the events of one document into nodes, and notes what is not allowed on the way."""

    def __init__(self, text: str, problems: list[Problem]) -> None:
        self.text, self.problems = text, problems
        self.anchors: dict[str, _Node] = {}
        self.count = 0

    def compose(self) -> _Node:
        events = self._events()
        root = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    self._refuse(event, "a second document starts here", "one document")
                root = self._node(next(events), events, 0)
        return root or _Node("scalar", None, (1, 1))

    def _events(self) -> Iterator[Any]:
        try:
            yield from yaml.parse(self.text, Loader=_Loader)
        except yaml.MarkedYAMLError as error:  # the only kind once `_check_text` is content
            raise _Refused(self._syntax(error)) from None

    def _syntax(self, error: yaml.MarkedYAMLError) -> Problem:
        mark = error.problem_mark or error.context_mark
        here = self.text.splitlines()[mark.line : mark.line + 1]  # none at the end of the text
        place = (mark.line + 1, mark.column + 1)
        if any(line.startswith("\t", mark.column) for line in here):
            return Problem("", "a tab indents this line", "spaces", None, *place)
        reason = ", ".join(part for part in (error.context, error.problem) if part)
        return Problem("", f"not YAML: {reason}", None, None, *place)

    def _refuse(self, event: Any, message: str, allowed: str | None = None) -> None:
        mark = event.start_mark
        raise _Refused(Problem("", message, allowed, None, mark.line + 1, mark.column + 1))

    def _note(self, event: Any, message: str, allowed: str | None = None) -> None:
        mark = event.start_mark
        self.problems.append(Problem("", message, allowed, None, mark.line + 1, mark.column + 1))

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> _Node:
        self.count += 1
        if self.count > MAX_NODES:
            self._refuse(event, "the document has too many parts", f"at most {MAX_NODES:,}")
        if depth > MAX_DEPTH:
            self._refuse(event, "the document is nested too deeply", f"at most {MAX_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                self._refuse(event, f"the alias *{event.anchor} refers to nothing before it")
            target = self.anchors[event.anchor]
            return _Node(target.kind, target.value, _start(event))
        if event.tag not in (None, "!", _STRING_TAG):
            self._note(event, f"{show(event.tag)} is a tag, which MSL has no use for", "plain data")
        node = self._content(event, events, depth)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _content(self, event: Any, events: Iterator[Any], depth: int) -> _Node:
        if isinstance(event, yaml.ScalarEvent):
            plain = event.implicit[0] and event.tag is None
            return _Node("scalar", _scalar(event.value) if plain else event.value, _start(event))
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(item := next(events), yaml.SequenceEndEvent):
                items.append(self._node(item, events, depth + 1))
            return _Node("list", items, _start(event))
        pairs = []
        while not isinstance(item := next(events), yaml.MappingEndEvent):
            key = self._node(item, events, depth + 1)
            value = self._node(next(events), events, depth + 1)
            if key.kind != "scalar":
                self._note(item, f"{show([0])} or a mapping is no field name", "text")
            elif isinstance(item, yaml.ScalarEvent) and item.value == "<<" and not item.style:
                self._note(item, "merge keys are not part of MSL", "the fields written out")
            else:
                name = item.value if isinstance(item, yaml.ScalarEvent) else str(key.value)
                pairs.append((name, key.place, value))
        return _Node("mapping", pairs, _start(event))


def _start(event: Any) -> Place:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _scalar(text: str) -> Any:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    number = numeral(text)
    return text if number is None else number


class _Builder:
    """Expands nodes into plain data, within a budget, recording where everything stands."""

    def __init__(self, document: Document) -> None:
        self.document, self.count = document, 0

    def build(self, node: _Node, location: Location) -> Any:
        self.count += 1
        if self.count > MAX_NODES:
            message = "aliases expand to too many parts"
            raise _Refused(Problem("", message, f"at most {MAX_NODES:,}", None, *node.place))
        self.document.values[location] = node.place
        if node.kind == "scalar":
            return node.value
        if node.kind == "list":
            return [self.build(item, (*location, i)) for i, item in enumerate(node.value)]
        data: dict[str, Any] = {}
        for name, place, value in node.value:
            inner = (*location, name)
            if name in data:
                line = self.document.keys[inner][0]
                message = f"already stated on line {line}"
                problem = Problem(dotted(inner), message, "one value per field", None, *place)
                self.document.problems.append(problem)
                continue
            self.document.keys[inner] = place
            data[name] = self.build(value, inner)
        return data
