"""Grids of distances become meshes, and cubes of them tokens, without loss."""

import numpy as np
import pytest
import torch

from PACKAGE import Config
from PACKAGE.data import Corpus, prepare
from PACKAGE.denoiser import cubes, grid_of, space_positions
from PACKAGE.forms import form_of, mean_form, mesh_of, views, wholeness, write
from PACKAGE.meshes import read_obj
from PACKAGE.samples import chamfer


def test_cubes_become_the_same_grid(config):
    grid = torch.randn((2, *[config.grid_size] * 3))
    tokens = cubes(grid, config.patch_size)
    assert tokens.shape[1:] == (
        (config.grid_size // config.patch_size) ** 3,
        config.patch_size**3,
    )
    assert torch.equal(grid_of(tokens, config.patch_size), grid)
    assert tokens[0, 1, 0] == grid[0, 0, 0, config.patch_size % config.grid_size]


def test_every_cube_knows_where_it_is():
    table = space_positions(4, torch.zeros(1, 24))
    assert table.shape == (64, 24)
    assert torch.cdist(table, table).fill_diagonal_(1).min() > 0.01


def test_forms_are_near_their_shapes(config, tmp_path):
    prepare(config)
    corpus = Corpus(config)
    for source in corpus.val[:3]:
        form = form_of(source, config, "0")
        assert form.shape == (config.grid_size,) * 3 and form.abs().max() == 1
        rng = np.random.default_rng(0)
        path = write(form, tmp_path / "shape")
        vertices, faces = read_obj(path)
        assert len(faces) == len(mesh_of(form)[1]) > 0 and wholeness(form) == 1
        assert chamfer(vertices, source.surface(1000, rng)) < 3 / config.grid_size
        assert all(picture.shape == (40, 40, 3) for picture in views(form, 40))


def test_the_mean_of_one_form_is_itself(config):
    form = torch.randn((1, *[config.grid_size] * 3))
    assert torch.equal(mean_form(form, np.random.default_rng(0)), form[0])


def test_a_grid_is_cut_without_rest():
    with pytest.raises(ValueError, match="--grid-size"):
        Config.tiny(grid_size=17, patch_size=4)
