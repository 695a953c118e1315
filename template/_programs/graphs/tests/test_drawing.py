"""Drawings keep what is linked together, and show what they are told to."""

import numpy as np

from PACKAGE.drawing import WRONG, draw, layout, sheet

PATHS = [(0, 1), (1, 2), (3, 4), (4, 5)]


def test_linked_nodes_lie_closer_than_others():
    place = layout(6, PATHS)
    assert place.shape == (6, 2) and place.min() >= 0 and place.max() <= 1
    apart = np.linalg.norm(place[:, None] - place[None], axis=-1)
    linked = np.mean([apart[pair] for pair in PATHS])
    assert linked < apart[:3, 3:].mean()


def test_a_graph_without_edges_is_drawn():
    assert draw(3, [], [0, 1, 2], side=100).size == (100, 100)
    assert draw(1, [], [0], side=100, caption="alone").size == (100, 118)


def test_wrong_nodes_are_ringed():
    plain, ringed = draw(6, PATHS, [1] * 6), draw(6, PATHS, [1] * 6, wrong=[0])
    assert WRONG not in {c for _, c in plain.getcolors(10**6)}
    assert WRONG in {c for _, c in ringed.getcolors(10**6)}


def test_a_sheet_holds_every_picture():
    pictures = [draw(2, [(0, 1)], [0, 1], side=50) for _ in range(5)]
    assert sheet(pictures, across=4).size == (200, 100)
