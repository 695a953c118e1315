"""What is hidden is not looked at, and every value is judged by what surrounds it."""

import pytest
import torch
from helpers import learn

from PACKAGE import Config, build_model, synthetic_batch
from PACKAGE.model import patch_count


@torch.inference_mode()
def test_hidden_patches_are_not_seen(config, model):
    values = synthetic_batch(config, 2, 0)["values"]
    hidden = torch.zeros(2, patch_count(config), dtype=torch.bool)
    hidden[:, -1] = True
    made = model.restore(values, hidden)
    values[:, -config.patch_length :] += 5
    torch.testing.assert_close(model.restore(values, hidden), made)
    assert not torch.allclose(model.restore(values, ~hidden), made, atol=1e-4)


@torch.inference_mode()
def test_every_value_has_an_error(config, model):
    batch = synthetic_batch(config, 2, 0)
    errors = model(batch["values"], batch["known"])
    assert errors.shape == batch["values"].shape
    unread = config.lookback - patch_count(config) * config.patch_length
    assert (errors[:, :unread] == 0).all() and (errors[:, unread:] > 0).all()
    batch["known"][:, -1] = False
    assert (model(batch["values"], batch["known"])[:, -1] == 0).all()


@torch.inference_mode()
def test_units_do_not_matter(config, model):
    batch = synthetic_batch(config, 2, 0)
    errors = model(batch["values"], batch["known"])
    scaled = model(100 * batch["values"] + 3, batch["known"])
    torch.testing.assert_close(scaled, errors, atol=1e-3, rtol=1e-3)


def test_one_batch_can_be_learned(config):
    losses = learn(build_model(config), synthetic_batch(config, 2, 0), steps=40, rate=3e-3)
    assert losses[-1] < 0.8 * losses[0]


def test_patches_that_overlap_are_refused(config):
    with pytest.raises(ValueError, match="--patch-stride"):
        Config.tiny(patch_stride=config.patch_length + 1)
    with pytest.raises(ValueError, match="--hidden-share"):
        Config.tiny(hidden_share=1.0)
