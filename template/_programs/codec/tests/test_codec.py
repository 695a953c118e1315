"""Codes are whole numbers of the right shape, and codebooks follow what they stand for."""

import math
from dataclasses import replace

import torch

from PACKAGE import build_model, synthetic_batch
from PACKAGE.eval import bitrate


def test_a_sound_becomes_codes_and_a_sound_again(config):
    model = build_model(config).eval()
    waveform = synthetic_batch(config, 3, 0)["waveform"][..., :-5]
    with torch.inference_mode():
        codes = model.encode(waveform)
        frames = math.ceil(waveform.size(-1) / model.hop)
        assert codes.shape == (3, config.n_codebooks, frames)
        assert not codes.is_floating_point() and codes.max() < config.codebook_size
        assert model.decode(codes).shape == (3, config.audio_channels, frames * model.hop)
        restored, _ = model(waveform)
        torch.testing.assert_close(
            restored,
            model.decode(codes, model.level(waveform))[..., : waveform.size(-1)],
            atol=1e-4,
            rtol=1e-4,
        )
        first = model.decode(codes[:, :1])  # fewer codebooks sound worse, but sound
        assert first.shape == (3, config.audio_channels, frames * model.hop)


def test_codebooks_follow_in_training_alone(config):
    model = build_model(config)
    batch = synthetic_batch(config, 32, 0)  # more frames than codes
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    model.eval().loss(batch)
    assert all(torch.equal(before[name], buffer) for name, buffer in model.named_buffers())
    model.train().loss(batch)
    assert not any(torch.equal(before[name], buffer) for name, buffer in model.named_buffers())


def test_codes_are_averages_of_the_frames_that_chose_them(config):
    book = build_model(replace(config, codebook_decay=0.0)).quantizer.codebooks[0]
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(500, config.codebook_dim, generator=generator)
    book.revive(frames)
    chosen = book.nearest(frames)
    book.follow(frames, chosen)
    for code in chosen.unique().tolist():
        torch.testing.assert_close(book.codes[code], frames[chosen == code].mean(dim=0))


def test_every_further_codebook_leaves_less_over(config):
    model = build_model(config)
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(8, config.codebook_dim, 64, generator=generator)
    for _ in range(5):
        model.train().quantizer(frames)
    model.eval()
    codes = model.quantizer.encode(frames)
    errors = [
        (model.quantizer.decode(codes[:, : n + 1]) - frames).square().mean().item()
        for n in range(config.n_codebooks)
    ]
    assert errors == sorted(errors, reverse=True) and errors[0] < frames.square().mean()


def test_gradients_pass_the_quantiser(config):
    model = build_model(config)
    model.loss(synthetic_batch(config, 2, 0)).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_only_causal_frames_hear_nothing_of_what_comes_after_them(config):
    model = build_model(config).eval()
    waveform = synthetic_batch(config, 1, 0)["waveform"]
    changed = waveform.clone()
    half = config.clip_samples // model.hop // 2
    changed[..., half * model.hop :] *= -1
    with torch.inference_mode():
        before = (model.encoder(waveform) - model.encoder(changed))[..., :half]
    if config.causal_conv and config.codec_norm == "weight_norm":
        assert before.abs().max() < 1e-5
    else:
        assert before.abs().max() > 1e-5


def test_one_sample_of_a_batch_changes_no_other(config):
    model = build_model(config).eval()
    waveform = synthetic_batch(config, 3, 0)["waveform"]
    with torch.inference_mode():
        apart = torch.cat([model.encoder(wave[None]) for wave in waveform])
        torch.testing.assert_close(model.encoder(waveform), apart, atol=1e-4, rtol=1e-4)


def test_bits_are_counted(config):
    config = replace(config, sample_rate=8000, ratios=(8, 10), codebook_size=256, n_codebooks=3)
    assert bitrate(config) == 100 * 3 * 8
