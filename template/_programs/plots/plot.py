"""Plots for people to look at: bars, and predictions against what was measured."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

SIDE = 320  # pixels of a plot, inside its edges
EDGE = 40
GREY, DARK, BLUE, RED = (205, 205, 212), (40, 40, 46), (52, 101, 164), (204, 62, 52)


def bars(title: str, names: Sequence[str], shares: Sequence[float], right: Sequence[bool]):
    """A horizontal bar from 0 to 1 for each name: blue where `right`, else red."""
    image = Image.new("RGB", (2 * SIDE, EDGE + 22 * len(names)), "white")
    pen = ImageDraw.Draw(image)
    pen.text((8, 12), title, fill=DARK)
    for i, (name, share, good) in enumerate(zip(names, shares, right, strict=True)):
        top = EDGE + 22 * i
        pen.text((8, top + 3), name[:34], fill=DARK)
        width = round((2 * SIDE - 300) * max(0.0, min(1.0, share)))
        pen.rectangle((230, top, 230 + width, top + 16), fill=BLUE if good else RED)
        pen.text((238 + width, top + 3), f"{share:.2f}", fill=DARK)
    return image


def parity(title: str, wanted: Sequence[float], found: Sequence[float]) -> Image.Image:
    """Points whose place to the right is what was measured, and upwards what was predicted."""
    image = Image.new("RGB", (SIDE + 2 * EDGE, SIDE + 2 * EDGE), "white")
    pen = ImageDraw.Draw(image)
    low, high = min([*wanted, *found]), max([*wanted, *found])
    span = max(high - low, 1e-9)

    def place(x: float, y: float) -> tuple[float, float]:
        return EDGE + SIDE * (x - low) / span, EDGE + SIDE * (1 - (y - low) / span)

    pen.rectangle((EDGE, EDGE, EDGE + SIDE, EDGE + SIDE), outline=GREY)
    pen.line((*place(low, low), *place(high, high)), fill=GREY)
    for x, y in zip(wanted, found, strict=True):
        left, top = place(x, y)
        pen.ellipse((left - 2, top - 2, left + 2, top + 2), fill=BLUE)
    pen.text((EDGE, 14), f"{title}: predicted over measured", fill=DARK)
    pen.text((EDGE, EDGE + SIDE + 6), f"{low:.3g}", fill=DARK)
    pen.text((EDGE + SIDE - 24, EDGE + SIDE + 6), f"{high:.3g}", fill=DARK)
    return image


def below(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures one below the other."""
    sheet = Image.new(
        "RGB", (max(p.width for p in pictures), sum(p.height for p in pictures)), "white"
    )
    top = 0
    for picture in pictures:
        sheet.paste(picture, (0, top))
        top += picture.height
    return sheet
