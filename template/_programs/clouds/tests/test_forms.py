"""Points lie on their shapes, and their order means nothing."""

import numpy as np
import torch

from PACKAGE import build_model, synthetic_batch
from PACKAGE.data import Corpus, prepare
from PACKAGE.forms import form_of, mean_form, surface, views, wholeness, write
from PACKAGE.samples import chamfer
from PACKAGE.sources import read_cloud


@torch.no_grad()
def test_the_denoiser_is_equivariant_to_permutations(config):
    model = build_model(config).eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    batch = synthetic_batch(config, 2, 0)
    told = {}
    if config.conditioned:
        told = model.told(batch, torch.tensor([False, False]))
    order = torch.randperm(config.num_points, generator=generator)
    times = torch.tensor([100.0, 800.0])
    found = model.denoiser(batch["noise"], times, **told)
    moved = model.denoiser(batch["noise"][:, order], times, **told)
    torch.testing.assert_close(moved, found[:, order], atol=1e-4, rtol=1e-4)
    assert (found[:, :1] - found[:, 1:]).abs().max() > 1e-3


def test_forms_are_near_their_shapes(config, tmp_path):
    prepare(config)
    corpus = Corpus(config)
    rng = np.random.default_rng(0)
    for source in corpus.val[:3]:
        form = form_of(source, config, "0")
        assert form.shape == (config.num_points, 3)
        assert torch.equal(form, form_of(source, config, "0"))
        assert not torch.equal(form, form_of(source, config, "1"))
        assert chamfer(surface(form, 500, rng), source.surface(500, rng)) < 0.2
        path = write(form, tmp_path / "shape")
        assert path.suffix == ".ply" and len(read_cloud(path)) == config.num_points
        assert 0 < wholeness(form) < 1
        assert all(picture.shape == (40, 40, 3) for picture in views(form, 40))


def test_the_mean_has_points_of_all(config):
    forms = torch.arange(4.0)[:, None, None].expand(4, config.num_points, 3)
    mean = mean_form(forms, np.random.default_rng(0))
    assert mean.shape == forms.shape[1:] and len(mean[:, 0].unique()) > 1
