"""The component graph as a picture: columns from the inputs to the loss, wrapped into bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import Any

from ink import Page, Theme, fit, snug, width

WIDE, MARGIN, COLUMNS, PAD = 518.0, 14.0, 6, 6.0
NAME, KIND, PARAMS, WORDS, SHAPE = 7.8, 6.3, 7.4, 6.2, 5.9
"""Sizes of type: a node's name, its kind, its parameters, its components, shapes on edges."""


@dataclass(frozen=True)
class Texts:
    """The lines of a node: its name and its kind with their sizes, parameters, components."""

    name: tuple[str, ...]
    name_size: float
    kind: tuple[str, ...]
    kind_size: float
    params: str
    words: tuple[str, ...]

    @property
    def inside(self) -> float:
        """Points that the lines in the box take from top to bottom."""
        lines = len(self.name) * self.name_size + len(self.kind) * self.kind_size
        return 1.2 * lines + (PARAMS * 1.4 if self.params else 0)

    @property
    def below(self) -> float:
        """Points that the components' names take below the box."""
        return 3 + len(self.words) * WORDS * 1.2 if self.words else 0.0


@dataclass(frozen=True)
class Box:
    """A node in its place: its lower left corner, its size, and its texts."""

    node: Mapping[str, Any]
    x: float
    y: float
    wide: float
    high: float
    texts: Texts

    @property
    def middle(self) -> float:
        """Where its arrows come in and go out."""
        return self.y + self.high / 2

    @property
    def right(self) -> float:
        """Its right side."""
        return self.x + self.wide

    @property
    def foot(self) -> float:
        """The lowest point of its components' names."""
        return self.y - self.texts.below


@dataclass(frozen=True)
class Label:
    """Lines of text around x, the lowest of which stands on y."""

    x: float
    y: float
    lines: tuple[str, ...]
    size: float

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, bottom, right and top."""
        half = max(width(line, self.size) for line in self.lines) / 2
        return self.x - half, self.y, self.x + half, self.y + len(self.lines) * self.size * 1.15


@dataclass(frozen=True)
class Frame:
    """What encloses the nodes of a stack of blocks: corner, size, and how many blocks."""

    x: float
    y: float
    wide: float
    high: float
    text: str


@dataclass
class Layout:
    """Everything in its place, in points."""

    wide: float = WIDE
    high: float = 0.0
    boxes: dict[str, Box] = field(default_factory=dict)
    paths: list[list[tuple[float, float]]] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    counts: list[Label] = field(default_factory=list)


class Graph:
    """Nodes by id, who feeds whom, and the column and row of each."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.nodes = {node["id"]: node for node in document["nodes"]}
        self.edges = [e for e in document["edges"] if {e["from"], e["to"]} <= self.nodes.keys()]
        self.after = self._neighbours("from", "to")
        self.before = self._neighbours("to", "from")
        self.column = self._columns()
        self.row = self._rows()

    def _neighbours(self, of: str, other: str) -> dict[str, list[str]]:
        return {n: [e[other] for e in self.edges if e[of] == n] for n in self.nodes}

    def _columns(self) -> dict[str, int]:
        """Every node stands just before the first that reads it; the loss stands last."""
        left: dict[str, int] = {}
        for name in reversed(self.nodes):
            left[name] = 1 + max((left[b] for b in self.after[name]), default=-1)
        return {name: max(left.values()) - left[name] for name in self.nodes}

    def _rows(self) -> dict[str, float]:
        """Rows from the top: a branch keeps its row, what joins branches lies between them."""
        row: dict[str, float] = {}
        for name in self.nodes:
            if not self.after[name]:
                self._place(name, row)
        for name in sorted(self.nodes, key=self.column.__getitem__, reverse=True):
            following = self.after[name]
            if len(following) > 1:
                row[name] = sum(row[b] for b in following) / len(following)
            elif following and len(self.before[following[0]]) == 1:
                row[name] = row[following[0]]
        return row

    def _place(self, name: str, row: dict[str, float]) -> None:
        own = self.stack(name)
        sources = [a for a in self.before[name] if a not in row]
        sources.sort(key=lambda a: -self._reach(a))
        if not sources:
            row[name] = sum(not self.before[placed] for placed in row)
            return
        for source in sources:
            self._place(source, row)
        inner = [a for a in sources if own and self.stack(a) == own]
        level = len({self._reach(a) for a in sources}) == 1
        main = inner[:1] or (sources if level else sources[:1])
        row[name] = sum(row[a] for a in main) / len(main)

    def _reach(self, name: str) -> int:
        """The longest way from an input to a node."""
        return 1 + max(map(self._reach, self.before[name]), default=0)

    def stack(self, name: str) -> str:
        """The stack of blocks that a node stands in, if any."""
        node = self.nodes[name]
        return node.get("stack", "") if node.get("copies", 1) > 1 else ""

    def bands(self) -> list[range]:
        """Columns in bands that fit a page: cut where one edge crosses, and no stack of blocks."""
        last = max(self.column.values()) + 1
        cuts = [c for c in range(1, last) if self._may_cut(c)] if last > COLUMNS else []
        ways = [way for n in range(3) for way in combinations(cuts, n)]

        def cost(way: Sequence[int]) -> tuple[int, ...]:
            longest = max(b - a for a, b in pairwise((0, *way, last)))
            return max(longest, COLUMNS), len(way), longest, -sum(way)

        best = min(ways, key=cost)
        return [range(a, b) for a, b in pairwise((0, *best, last))]

    def _may_cut(self, column: int) -> bool:
        crossing = [
            e for e in self.edges
            if self.column[e["from"]] < column <= self.column[e["to"]]
        ]  # fmt: skip
        stacks: dict[str, set[bool]] = {}
        for name in filter(self.stack, self.nodes):
            stacks.setdefault(self.stack(name), set()).add(self.column[name] < column)
        return len(crossing) == 1 and all(len(sides) == 1 for sides in stacks.values())


def layout(document: Mapping[str, Any]) -> Layout:
    """The graph in points: no box, label or frame on another, none beyond the page."""
    graph = Graph(document)
    bands = graph.bands()
    most = max(len(band) for band in bands)
    page = Layout(wide=max(WIDE, 100.0 * most))
    inner = page.wide - 2 * MARGIN
    wide = min(118.0, 0.6 * inner / most)
    gap = (inner - most * wide) / max(1, most - 1)
    texts = {name: _texts(node, wide, gap) for name, node in graph.nodes.items()}
    high = 12 + max(text.inside for text in texts.values())
    top = 0.0
    rows: dict[str, float] = {}  # the upper side of each box, down from the top of the page
    for number, band in enumerate(bands):
        names = [name for name in graph.nodes if graph.column[name] in band]
        stacked = any(graph.stack(name) for name in names)
        below = max(texts[name].below for name in names)
        pitch = high + below + (24 if stacked else 14)
        first = min(graph.row[name] for name in names)
        top += (16 if stacked else 5) + (22 if number else 0)
        rows |= {name: top + (graph.row[name] - first) * pitch for name in names}
        top = max(rows[name] for name in names) + high + below + (4 if stacked else 0)
    page.high = top + 14
    start = {column: band.start for band in bands for column in band}
    for name, node in graph.nodes.items():
        column = graph.column[name]
        x = MARGIN + (column - start[column]) * (wide + gap)
        if most == 1:
            x = (page.wide - wide) / 2
        page.boxes[name] = Box(node, x, page.high - rows[name] - high, wide, high, texts[name])
    for edge in graph.edges:
        _route(page, graph, edge, gap, start)
    _frames(page, graph)
    return page


def _texts(node: Mapping[str, Any], wide: float, gap: float) -> Texts:
    """The texts of a node, names in smaller type where a word is longer than the box is wide."""
    named = node["label"] != node["type"]
    name, room = node["id"].replace("_", " "), wide - 6
    name_size = snug(name, room, NAME, "bold")
    kind_size = snug(node["type"], room, KIND)
    framed = node.get("stack") and node.get("copies", 1) > 1
    below = wide + min(gap - 8, 2 * (PAD if framed else MARGIN) - 4)
    return Texts(
        tuple(fit(name, room, name_size, 2, "bold")), name_size,
        tuple(fit(node["type"], room, kind_size, 4)), kind_size,
        node.get("text", "") if node["params"] else "",
        tuple(fit(node["label"], below, WORDS, 4) if named else ()),
    )  # fmt: skip


def _route(
    page: Layout, graph: Graph, edge: Mapping[str, Any], gap: float, start: Mapping[int, int]
) -> None:
    """An arrow with right angles, and the shape of what flows along it."""
    a, b = page.boxes[edge["from"]], page.boxes[edge["to"]]
    if start[graph.column[edge["from"]]] != start[graph.column[edge["to"]]]:
        bands = [box for name, box in page.boxes.items()
                 if start[graph.column[name]] == start[graph.column[edge["to"]]]]  # fmt: skip
        stacked = any(graph.stack(box.node["id"]) for box in bands)
        between = max(box.y + box.high for box in bands) + (22 if stacked else 10)
        out, back = a.right + 11, MARGIN - 11
        page.paths.append([(a.right, a.middle), (out, a.middle), (out, between), (back, between),
                           (back, b.middle), (b.x, b.middle)])  # fmt: skip
        _label(page, edge, back, out, between)
        return
    inner = graph.stack(edge["from"]), graph.stack(edge["to"])
    leaves, enters = (PAD if stack and inner[0] != inner[1] else 0.0 for stack in inner)
    if a.middle == b.middle:
        page.paths.append([(a.right, a.middle), (b.x, b.middle)])
        joins = len(graph.before[edge["to"]]) > 1
        _label(page, edge, a.right + leaves, b.x - (12 if joins else enters + 3), a.middle)
        return
    fans_out = len(graph.after[edge["from"]]) > 1
    turn = a.right + 9 if fans_out else a.right + gap - 12
    corners = [(a.right, a.middle), (turn, a.middle), (turn, b.middle), (b.x, b.middle)]
    page.paths.append(corners)
    if fans_out:
        _label(page, edge, turn, a.right + gap - enters - 3, b.middle)
    else:
        _label(page, edge, a.right + leaves, turn, a.middle)


def _label(page: Layout, edge: Mapping[str, Any], left: float, right: float, y: float) -> None:
    """The shape of an edge over its line, in smaller type where a dimension is long."""
    room = right - left - 4
    shape = edge.get("shape") or []
    shapes = shape if shape and isinstance(shape[0], list) else [shape] if shape else []
    texts = ["×".join("B" if d == "batch" else f"{d}" for d in one) for one in shapes]
    size = min((snug(text, room, SHAPE, after="×") for text in texts), default=SHAPE)
    lines = [line for text in texts for line in fit(text, room, size, 6, after="×")]
    if lines:
        page.labels.append(Label((left + right) / 2, y + 2, tuple(lines), size))


def _frames(page: Layout, graph: Graph) -> None:
    """A dashed frame around each stack of blocks; how many there are, or how many of each kind."""
    stacks: dict[str, list[str]] = {}
    for name in graph.nodes:
        if graph.stack(name):
            stacks.setdefault(graph.stack(name), []).append(name)
    for names in stacks.values():
        boxes = [page.boxes[name] for name in names]
        copies = [box.node["copies"] for box in boxes]
        left, right = min(b.x for b in boxes) - PAD, max(b.right for b in boxes) + PAD
        low, up = min(b.foot for b in boxes) - 4, max(b.y + b.high for b in boxes) + 4
        alike = len(set(copies)) == 1
        page.frames.append(Frame(left, low, right - left, up - low, f"× {copies[0]}" * alike))
        if not alike:
            page.counts += [
                Label(box.x + box.wide / 2, up + 2, (f"× {n}",), NAME)
                for box, n in zip(boxes, copies, strict=True)
            ]


# -- ink -------------------------------------------------------------------------------------------


def draw_pipeline(document: Mapping[str, Any], theme: Theme) -> Page:
    """The component graph: networks, what passes between them, and how often blocks repeat."""
    placed = layout(document)
    page = Page(placed.wide, placed.high, theme)
    for frame in placed.frames:
        page.box(frame.x, frame.y, frame.wide, frame.high, "none", theme.ink,
                 linewidth=0.8, linestyle=(0, (4, 3)))  # fmt: skip
        page.text(frame.x + frame.wide / 2, frame.y + frame.high + 2, frame.text, NAME,
                  at="center", up="bottom", weight="bold")  # fmt: skip
    for path in placed.paths:
        *_, (x, y) = path
        page.line([*path[:-1], (x - 4, y)], solid_joinstyle="round")
        page.head(x, y)
    for label in (*placed.labels, *placed.counts):
        top = label.extent[3]
        page.stack(label.x, top, label.lines, label.size, at="center")
    for box in placed.boxes.values():
        _box(page, box, theme)
    if placed.labels:
        legend = "B: batch; in bold: parameters"
        page.text(placed.wide - MARGIN, 5, legend, WORDS, at="right", style="italic")
    return page


def _box(page: Page, box: Box, theme: Theme) -> None:
    node = box.node
    kind = "network" if node.get("accent", node["params"]) else "step"
    kind = "loss" if node["id"] == "loss" else kind
    fill, edge, ink = theme.boxes[kind]
    page.box(box.x, box.y, box.wide, box.high, fill, edge, linewidth=0.9)
    x, texts = box.x + box.wide / 2, box.texts
    top = box.middle + texts.inside / 2
    how = {"at": "center", "ink": ink}
    top = page.stack(x, top, texts.name, texts.name_size, weight="bold", **how)
    top = page.stack(x, top, texts.kind, texts.kind_size, **how)
    if texts.params:
        page.text(x, top - PARAMS * 0.8, texts.params, PARAMS, weight="bold", **how)
    page.stack(x, box.y - 3, texts.words, WORDS, at="center", style="italic")
