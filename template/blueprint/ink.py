"""What the figures of this repository share: colours, type, and text that fits its place.

Figures are drawn on a page whose unit is the point, so that a text's width is known before it is
set: nothing is cut off, and nothing overlaps because a name is long.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.ft2font import FT2Font
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, Polygon, Rectangle
from matplotlib.patheffects import Normal
from matplotlib.transforms import Affine2D

# The palette of Okabe and Ito (2008), which colour-blind readers can tell apart.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
VERMILLION, SKY = "#D55E00", "#56B4E9"
GREY = "#8A9099"

SIDES = re.compile(r' (width|height)="([\d.]+)pt"')

STYLE = {
    "font.family": "DejaVu Sans",
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "metagen",
    "text.parse_math": False,
    "text.usetex": False,
}


@dataclass(frozen=True)
class Theme:
    """Where a figure will stand, and the inks that can be read there.

    Letters are outlines in both, so that no page lacks a font.

    Attributes:
        suffix: the file type.
        ink: text and lines on the page.
        faint: lines that help the eye.
        boxes: face, edge and text of a box, by kind.
        metadata: what the file says about itself; never a date.
        zoom: how much larger than its points a figure is shown.
        outlined: whether letters become paths before the file's own writer sees them.
    """

    suffix: str
    ink: str
    faint: str
    boxes: dict[str, tuple[str, str, str]]
    metadata: dict[str, None]
    zoom: float = 1.0
    outlined: bool = False


SCREEN = Theme(
    "svg",
    "#767C85",
    "#767C8566",
    {
        "network": ("#0072B2", "#0072B2", "#FFFFFF"),
        "step": ("#5A636E", "#5A636E", "#FFFFFF"),
        "loss": ("#B34E00", "#B34E00", "#FFFFFF"),
    },
    {"Date": None, "Creator": None},
    zoom=1.3,
)
"""One ink that keeps a contrast above 4:1 on a white page and on a dark one."""

PAPER = Theme(
    "pdf",
    "#222222",
    "#B8BCC2",
    {
        "network": ("#E3F0F8", "#0072B2", "#222222"),
        "step": ("#F2F3F4", "#6B7280", "#222222"),
        "loss": ("#FBEADF", "#D55E00", "#222222"),
    },
    {"CreationDate": None, "Creator": None, "Producer": None},
    outlined=True,
)


def settle() -> None:
    """Matplotlib's defaults, our style, and only the fonts that come with matplotlib, if any do."""
    matplotlib.rcdefaults()
    matplotlib.rcParams.update(STYLE)
    home = matplotlib.get_data_path()
    bundled = [font for font in fontManager.ttflist if font.fname.startswith(home)]
    fontManager.ttflist = bundled or fontManager.ttflist


# -- words -----------------------------------------------------------------------------------------


@cache
def face(weight: str = "normal") -> FT2Font:
    """The font of that weight."""
    return get_font(findfont(FontProperties(family="DejaVu Sans", weight=weight)))


@cache
def advance(character: str, weight: str) -> float:
    """The width of a character in type of one point."""
    font = face(weight)
    font.set_size(100, 72)
    return font.load_char(ord(character)).linearHoriAdvance / 65536 / 100


def printable(text: str) -> str:
    """`text` on one line, characters that the font lacks or that steer it by their code points."""
    font = face()
    return "".join(
        c if font.get_char_index(ord(c)) and unicodedata.category(c)[0] != "C"
        else f"[U+{ord(c):04X}]"
        for c in " ".join(text.split())
    )  # fmt: skip


def width(text: str, size: float, weight: str = "normal") -> float:
    """Points that a printable text takes, or a little less where letters are kerned or joined."""
    return size * sum(advance(character, weight) for character in text)


def fit(
    text: str, room: float, size: float, lines: int = 1, weight: str = "normal", after: str = " -/"
) -> list[str]:
    """`text` in at most `lines` lines of `room` points; what is left over is an ellipsis.

    Lines break behind the characters `after`, and within a word that is wider than a line.
    """

    def wide(line: str) -> bool:
        return width(line.rstrip(), size, weight) > room

    found, line = [], ""
    for word in re.split(f"(?<=[{re.escape(after)}])", printable(text)):
        if line and wide(line + word):
            found.append(line.rstrip())
            line = ""
        while wide(line + word) and len(found) < lines:
            end = _reach(word, room, size, weight)
            found.append(word[:end])
            word = word[end:]
        line += word
    found += [line.rstrip()] if line.strip() else []
    if len(found) <= lines:
        return found
    last = found[lines - 1]
    while last and wide(last + "…"):
        last = last[:-1]
    return [*found[: lines - 1], last.rstrip() + "…"]


def snug(text: str, room: float, size: float, weight: str = "normal", after: str = " -/") -> float:
    """The size, at most `size` and at least half of it, at which every word fits a line."""
    words = re.split(f"(?<=[{re.escape(after)}])", printable(text))
    widest = max(width(word.rstrip(), size, weight) for word in words)
    return size * max(0.5, min(1.0, room / max(widest, 1.0) - 0.005))


def _reach(word: str, room: float, size: float, weight: str) -> int:
    """How many characters of a word fill a line; at least one."""
    end = 1
    while end < len(word) and width(word[: end + 1], size, weight) <= room:
        end += 1
    return end


# -- marks -----------------------------------------------------------------------------------------


class Page:
    """A figure of `wide` by `high` points, its origin at the lower left."""

    def __init__(self, wide: float, high: float, theme: Theme) -> None:
        self.high, self.theme = high, theme
        self.figure = Figure(figsize=(wide / 72, high / 72))
        self.points = Affine2D().scale(1 / 72) + self.figure.dpi_scale_trans

    def text(
        self, x: float, y: float, words: str, size: float = 7, *, at: str = "left",
        up: str = "center", ink: str = "", weight: str = "normal", style: str = "normal",
        turn: float = 0,
    ) -> None:  # fmt: skip
        """One line of printable text; `at` and `up` name the point of it that x and y are."""
        self.figure.text(
            x, y, words, size=size, ha=at, va=up, color=ink or self.theme.ink, weight=weight,
            style=style, rotation=turn, rotation_mode="anchor", transform=self.points,
            path_effects=[Normal()] if self.theme.outlined else None,
        )  # fmt: skip

    def stack(self, x: float, top: float, words: Iterable[str], size: float, **how: Any) -> float:
        """Lines under one another; returns where the next would begin."""
        for line in words:
            self.text(x, top - size * 0.6, line, size, **how)
            top -= size * 1.2
        return top

    def bar(self, x: float, y: float, wide: float, high: float, colour: str) -> None:
        """A filled rectangle, of at least a hair's breadth."""
        wide = wide if abs(wide) >= 0.6 else 0.6
        self._add(Rectangle((x, y), wide, high, facecolor=colour, linewidth=0))

    def box(
        self, x: float, y: float, wide: float, high: float, fill: str, edge: str, **how: Any
    ) -> None:
        """A rectangle with round corners."""
        style = "round,pad=0,rounding_size=4"
        self._add(FancyBboxPatch((x, y), wide, high, style, facecolor=fill, edgecolor=edge, **how))

    def line(self, points: Iterable[tuple[float, float]], colour: str = "", **how: Any) -> None:
        """A line through points."""
        x, y = zip(*points, strict=True)
        how = {"color": colour or self.theme.ink, "linewidth": 0.8} | how
        self._add(Line2D(x, y, solid_capstyle="butt", **how))

    def head(self, x: float, y: float) -> None:
        """The head of an arrow that points right."""
        corners = ((x, y), (x - 5, y + 2.2), (x - 5, y - 2.2))
        self._add(Polygon(corners, facecolor=self.theme.ink, linewidth=0))

    def _add(self, mark: Artist) -> None:
        mark.set_transform(self.points)
        self.figure.add_artist(mark)


def save(page: Page, path: Path) -> None:
    """Write the figure; an SVG is shown `zoom` times as large as it was drawn."""
    theme = page.theme
    page.figure.savefig(path, transparent=True, metadata=theme.metadata)
    if theme.zoom != 1:
        text = path.read_text("utf-8")
        path.write_text(SIDES.sub(partial(_larger, theme.zoom), text, count=2), "utf-8")


def _larger(zoom: float, side: re.Match[str]) -> str:
    return f' {side[1]}="{float(side[2]) * zoom:.6g}pt"'
