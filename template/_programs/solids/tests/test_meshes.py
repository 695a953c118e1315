"""Surfaces are closed, as large as they should be, and distances to them have the right sign."""

import numpy as np
import pytest

from PACKAGE.meshes import (
    areas,
    distances_to,
    fit,
    places,
    points_on,
    read_obj,
    surface_of,
    two_sided,
    volume,
    write_obj,
)
from PACKAGE.synthetic import KINDS, PROPORTIONS, Shape

RADIUS = 0.7


@pytest.fixture(scope="module")
def sphere():
    """A sphere of marching tetrahedra."""
    return surface_of(np.linalg.norm(places(24), axis=-1) - RADIUS)


def edges_of(faces):
    return np.unique(np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1), axis=0)


def test_a_sphere_is_watertight_and_round(sphere):
    vertices, faces = sphere
    assert two_sided(faces) == 1.0
    assert len(vertices) - len(edges_of(faces)) + len(faces) == 2  # Euler characteristic
    assert volume(sphere) == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=0.02)
    assert areas(sphere).sum() == pytest.approx(4 * np.pi * RADIUS**2, rel=0.02)
    assert np.abs(np.linalg.norm(vertices, axis=1) - RADIUS).max() < 0.01


def test_a_torus_has_a_hole():
    mesh = surface_of(Shape("torus", "", 0.8, 0.3).distances(places(24)))
    vertices, faces = mesh
    assert two_sided(faces) == 1.0
    assert len(vertices) - len(edges_of(faces)) + len(faces) == 0


def test_whatever_the_distances_the_surface_is_closed():
    grid = np.random.default_rng(0).normal(size=(9, 9, 9))
    assert two_sided(surface_of(grid)[1]) == 1.0
    assert len(surface_of(np.ones((5, 5, 5)))[1]) == 0
    full = surface_of(-np.ones((5, 5, 5)))
    assert two_sided(full[1]) == 1.0 and volume(full) > 0


def test_a_missing_face_is_found(sphere):
    assert two_sided(sphere[1][1:]) < 1.0
    assert two_sided(sphere[1][:0]) == 0.0


def test_points_lie_on_the_surface(sphere):
    points = points_on(sphere, 500, np.random.default_rng(0))
    assert np.abs(np.linalg.norm(points, axis=1) - RADIUS).max() < 0.02
    assert np.abs(points.mean(axis=0)).max() < 0.1
    assert not points_on((np.zeros((0, 3)), np.zeros((0, 3), int)), 4, None).any()


def test_distances_to_a_mesh_are_those_to_the_shape(sphere):
    where = np.random.default_rng(0).uniform(-1, 1, (300, 3))
    found = distances_to(sphere, where)
    np.testing.assert_allclose(found, np.linalg.norm(where, axis=1) - RADIUS, atol=0.03)


def test_files_return_what_was_written(sphere, tmp_path):
    write_obj(tmp_path / "a.obj", sphere)
    vertices, faces = read_obj(tmp_path / "a.obj")
    np.testing.assert_allclose(vertices, sphere[0], atol=1e-4)
    assert np.array_equal(faces, sphere[1])
    (tmp_path / "b.obj").write_text("v 0 0 0\nv 2 0 0\nv 2 4 0\nv 0 4 0\nf 1/1 2/2 3/3 -1/4\n")
    vertices, faces = read_obj(tmp_path / "b.obj")
    assert faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert np.abs(fit(vertices)).max() == pytest.approx(0.85)
    (tmp_path / "c.obj").write_text("f 1 2 3\n")
    with pytest.raises(ValueError, match=r"c\.obj"):
        read_obj(tmp_path / "c.obj")


@pytest.mark.parametrize("kind", KINDS)
def test_built_in_distances_are_distances(kind):
    for wide, high in PROPORTIONS.values():
        shape = Shape(kind, "", wide, high)
        points = shape.surface(200, np.random.default_rng(0))
        assert np.abs(shape.distances(points)).max() < 0.01
        assert np.abs(points[:, [0, 2]]).max() < wide + 0.02
        assert np.abs(points[:, 1]).max() < high + 0.02
        away = shape.distances(np.array([[1.5, 0, 0], [0, 1.5, 0]]))
        assert away[0] == pytest.approx(1.5 - wide, abs=0.6) and (away > 0).all()
