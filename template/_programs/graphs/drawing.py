"""Graphs for people to look at: nodes that attract along edges and repel everywhere else."""

import colorsys
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

GREY, DARK, WRONG = (196, 196, 202), (40, 40, 46), (214, 40, 40)
Edge = tuple[int, int]


def layout(nodes: int, edges: Sequence[Edge], rounds: int = 120) -> np.ndarray:
    """Places of nodes in the unit square, (nodes, 2) (Fruchterman and Reingold 1991)."""
    angle = 2.399963 * np.arange(nodes)  # a spiral at the golden angle
    radius = np.sqrt((np.arange(nodes) + 0.5) / nodes) / 2
    place = np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=1)
    source, target = np.array(edges, dtype=int).reshape(-1, 2).T
    ideal = 0.9 / np.sqrt(nodes)
    for heat in np.linspace(0.1, 0.005, rounds):
        apart = place[:, None] - place[None]  # (nodes, nodes, 2)
        distance = np.maximum(np.linalg.norm(apart, axis=-1), 1e-4)
        push = (apart * (ideal / distance)[..., None] ** 2).sum(axis=1)
        pull = np.zeros_like(place)
        along = place[source] - place[target]
        along *= (np.linalg.norm(along, axis=-1, keepdims=True)) / ideal
        np.add.at(pull, source, -along)
        np.add.at(pull, target, along)
        force = push + pull - place * 0.3
        length = np.maximum(np.linalg.norm(force, axis=-1, keepdims=True), 1e-9)
        place = place + force / length * np.minimum(length, heat)
    place = place - place.min(axis=0)
    return place / np.maximum(place.max(axis=0), 1e-9)


def colour(number: int) -> tuple[int, int, int]:
    """A colour that neighbours in number do not share."""
    return tuple(round(255 * v) for v in colorsys.hsv_to_rgb(0.618 * number % 1, 0.6, 0.92))


def draw(
    nodes: int,
    edges: Sequence[Edge],
    colours: Sequence[int],
    side: int = 640,
    wrong: Sequence[int] = (),
    marked: Sequence[tuple[int, int, bool]] = (),
    caption: str = "",
) -> Image.Image:
    """A drawing of a graph: nodes in the colours of their numbers, those that are `wrong` ringed.

    `marked` pairs are drawn over the edges, in green where the last entry is true, else in red.
    """
    image = Image.new("RGB", (side, side + (18 if caption else 0)), "white")
    pen = ImageDraw.Draw(image)
    size = max(3, min(9, int(side / (3 * nodes**0.5))))
    places = [tuple(p) for p in 2 * size + layout(nodes, edges) * (side - 4 * size)]
    for source, target in edges:
        pen.line((*places[source], *places[target]), fill=GREY)
    for source, target, right in marked:
        fill = (30, 150, 70) if right else WRONG
        pen.line((*places[source], *places[target]), fill=fill, width=2)
    missed = set(wrong)
    for number, (x, y) in enumerate(places):
        edge, width = (WRONG, 3) if number in missed else (DARK, 1)
        box = (x - size, y - size, x + size, y + size)
        pen.ellipse(box, fill=colour(colours[number]), outline=edge, width=width)
    if caption:
        pen.text((4, side + 2), caption[: side // 6], fill=DARK)
    return image


def sheet(pictures: Sequence[Image.Image], across: int = 4) -> Image.Image:
    """Pictures of one size side by side."""
    wide, high = pictures[0].size
    rows = -(-len(pictures) // across)
    canvas = Image.new("RGB", (wide * min(across, len(pictures)), high * rows), "white")
    for i, picture in enumerate(pictures):
        canvas.paste(picture, (i % across * wide, i // across * high))
    return canvas
