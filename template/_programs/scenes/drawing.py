"""Scenes for people to look at: colours of classes, pictures side by side."""

import colorsys

import numpy as np
from PIL import Image

GAP = 4  # pixels between pictures


def colour(number: int) -> tuple[int, int, int]:
    """A colour that neighbours in number do not share; 0 is dark, -1 white."""
    if number <= 0:
        return (255, 255, 255) if number < 0 else (24, 24, 28)
    hue = 0.618 * (number - 1) % 1
    return tuple(round(255 * v) for v in colorsys.hsv_to_rgb(hue, 0.65, 0.95))


def painted(classes: np.ndarray) -> Image.Image:
    """A map of classes, (side, side), in their colours."""
    canvas = np.zeros((*classes.shape, 3), dtype=np.uint8)
    for number in np.unique(classes):
        canvas[classes == number] = colour(int(number))
    return Image.fromarray(canvas)


def side_by_side(rows: list[list[Image.Image]], side: int) -> Image.Image:
    """Rows of pictures on white, each `side` pixels wide and high."""
    step = side + GAP
    sheet = Image.new("RGB", (step * len(rows[0]) + GAP, step * len(rows) + GAP), "white")
    for down, row in enumerate(rows):
        for across, picture in enumerate(row):
            enlarged = picture.convert("RGB").resize((side, side), Image.Resampling.NEAREST)
            sheet.paste(enlarged, (GAP + across * step, GAP + down * step))
    return sheet
