"""The model is a function of its seed and its images, and learns."""

from dataclasses import replace

import pytest
import torch
from helpers import learn

from PACKAGE import Config, build_model, synthetic_batch
from PACKAGE.eval import decibels, evaluate, shrunk
from PACKAGE.model import difference, latent_shape
from PACKAGE.train import train


@torch.inference_mode()
def test_images_do_not_influence_each_other(config, model):
    images = synthetic_batch(config, 4, 0)["images"]
    made = model(images)
    assert made.shape == images.shape
    assert model.latents(images).shape == (4, *latent_shape(config))
    torch.testing.assert_close(model(images[:1]), made[:1], atol=1e-4, rtol=1e-3)
    assert not torch.allclose(made[0], made[1], atol=1e-6)


@torch.inference_mode()
def test_codes_are_drawn_around_their_means(config, model):
    batch = synthetic_batch(config, 2, 0)
    mean = model.latents(batch["images"])
    noise = batch["posterior_noise"]
    drawn = [model.latents(batch["images"], sign * noise) for sign in (1, -1)]
    torch.testing.assert_close((drawn[0] + drawn[1]) / 2, mean, atol=1e-5, rtol=1e-4)
    assert not torch.equal(drawn[0], mean)


def test_nothing_is_missed_by_the_picture_itself(config):
    images = synthetic_batch(config, 2, 0)["images"]
    assert difference(images, images) == 0
    assert difference(images + 0.5, images).item() == pytest.approx(0.75, rel=1e-4)
    assert decibels(4.0) == 0 and decibels(0.04) == pytest.approx(20)
    assert shrunk(config, images).shape == images.shape


def test_sizes_that_do_not_fit_are_refused(config):
    if len(config.ae_channels) > 1:
        with pytest.raises(ValueError, match="--image-size"):
            Config.tiny(image_size=config.image_size + 1)
    with pytest.raises(ValueError, match="--ae-groups"):
        Config.tiny(ae_groups=config.ae_channels[0] + 1)


def test_one_batch_can_be_learned(config):
    losses = learn(build_model(config), synthetic_batch(config, 2, 0), steps=25, rate=2e-3)
    assert losses[-1] < 0.9 * losses[0]


def test_training_beats_the_mean_picture(config):
    train(replace(config, steps=80, warmup_steps=8, val_fraction=0.01, grad_clip=1.0))
    figures = evaluate(config.run_dir, "cpu").figures
    assert figures["psnr_db"] > figures["trivial_psnr_db"] + 1
    assert figures["loss"] < 0.8 * figures["trivial_loss"]
    assert figures["steps"] == 80
