"""Pictures of series: lines, bands and marks, one panel above the other."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

INK, GREY = (40, 40, 46), (200, 200, 206)
BLUE, BAND, RED, PINK = (30, 90, 200), (190, 212, 246), (214, 40, 40), (250, 205, 205)
WIDTH, HEIGHT, EDGE = 900, 240, 46


@dataclass(frozen=True)
class Line:
    """Values, (steps,), from step `first` on; NaN where there is none."""

    first: int
    values: np.ndarray
    colour: tuple[int, int, int] = INK


@dataclass(frozen=True)
class Panel:
    """One pair of axes: what is drawn, from back to front.

    Attributes:
        title: the caption above.
        lines: what is drawn as lines.
        band: lower and upper ends of a shaded area.
        marks: ranges of steps that are shaded, and their colours.
    """

    title: str
    lines: Sequence[Line]
    band: tuple[Line, Line] | None = None
    marks: Sequence[tuple[int, int, tuple[int, int, int]]] = field(default=())


def draw(panels: Sequence[Panel]) -> Image.Image:
    """The panels, one above the other."""
    image = Image.new("RGB", (WIDTH, HEIGHT * len(panels)), "white")
    pen = ImageDraw.Draw(image)
    for i, panel in enumerate(panels):
        draw_panel(pen, panel, i * HEIGHT)
    return image


def draw_panel(pen: ImageDraw.ImageDraw, panel: Panel, top: int) -> None:
    """One panel, whose upper edge is `top` pixels down."""
    drawn = [*panel.lines, *(panel.band or ())]
    low = min(float(np.nanmin(line.values)) for line in drawn)
    high = max(float(np.nanmax(line.values)) for line in drawn)
    first = min(line.first for line in drawn)
    last = max(line.first + len(line.values) - 1 for line in drawn)
    left, right, above, below = EDGE + 18, WIDTH - 12, top + 22, top + HEIGHT - 22

    def place(step: float, value: float) -> tuple[float, float]:
        across = (step - first) / max(last - first, 1)
        up = (value - low) / max(high - low, 1e-12)
        return left + across * (right - left), below - up * (below - above)

    for begin, end, colour in panel.marks:
        x, _ = place(begin - 0.5, low)
        beyond, _ = place(end - 0.5, low)
        pen.rectangle((max(x, left), above, max(x + 1, min(beyond, right)), below), fill=colour)
    if panel.band:
        lower, upper = ([place(b.first + i, v) for i, v in enumerate(b.values)] for b in panel.band)
        if len(lower) > 1:
            pen.polygon([*upper, *reversed(lower)], fill=BAND)
    pen.rectangle((left, above, right, below), outline=GREY)
    for line in panel.lines:
        points = [place(line.first + i, v) for i, v in enumerate(line.values)]
        for here, there in zip(points, points[1:], strict=False):
            if not np.isnan((here, there)).any():
                pen.line((*here, *there), fill=line.colour, width=2)
    pen.text((left, top + 5), panel.title, fill=INK)
    for value, y in ((high, above), (low, below - 10)):
        pen.text((4, y), f"{value:.4g}", fill=INK)
    pen.text((left, below + 4), f"{first}", fill=INK)
    pen.text((right - 7 * len(str(last)), below + 4), f"{last}", fill=INK)
