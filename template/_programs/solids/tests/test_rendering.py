"""Shapes are drawn where they are, the nearest face in front."""

import numpy as np

from PACKAGE.meshes import places, surface_of
from PACKAGE.rendering import (
    REACH,
    VIEWS,
    contact_sheet,
    draw_mesh,
    draw_points,
    turn,
)


def test_a_sphere_is_drawn_as_a_disc():
    sphere = surface_of(np.linalg.norm(places(16), axis=-1) - 0.7)
    for view in VIEWS:
        picture = draw_mesh(sphere, 64, view)
        drawn = (picture < 250).any(axis=-1)
        assert abs(drawn.mean() - np.pi * (0.7 / 2 / REACH) ** 2) < 0.02
        rows, columns = np.nonzero(drawn)
        assert abs(rows.mean() - 31.5) < 1 and abs(columns.mean() - 31.5) < 1
    assert (draw_mesh((np.zeros((0, 3)), np.zeros((0, 3), int)), 8) == 255).all()


def test_what_is_nearer_hides_what_is_behind():
    near = np.array([[-1, -1, 0.5], [1, -1, 0.5], [0, 1, 0.5]])
    far = np.array([[-1, -1, -0.5], [1, -1, -0.5], [0, 1, -2.5]])  # it faces another way
    triangles = np.concatenate((near, far))
    both = [np.array([[0, 1, 2], [3, 4, 5]]), np.array([[3, 4, 5], [0, 1, 2]])]
    pictures = [draw_mesh((triangles, faces), 32, (0, 0)) for faces in both]
    alone = draw_mesh((triangles, both[0][:1]), 32, (0, 0))
    behind = draw_mesh((triangles, both[0][1:]), 32, (0, 0))
    assert np.array_equal(*pictures)
    assert np.array_equal(pictures[0][20, 16], alone[20, 16])
    assert not np.array_equal(alone[20, 16], behind[20, 16])


def test_views_turn_without_stretching():
    for view in VIEWS:
        np.testing.assert_allclose(turn(*view) @ turn(*view).T, np.eye(3), atol=1e-12)


def test_points_are_drawn_where_they_are():
    picture = draw_points(np.array([[0.6, 0.6, 0.0]]), 60, (0, 0))
    rows, columns = np.nonzero((picture < 250).any(axis=-1))
    assert rows.max() < 30 < columns.min()  # to the right, and above
    page = contact_sheet([[picture, picture]] * 3, ["a", "b", "c"])
    assert page.width > 4 * 60 and page.height > 2 * 60
