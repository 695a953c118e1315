"""A melody is its pitch classes, whatever plays it."""

import math

import pytest
import torch

from PACKAGE import build_model, synthetic_batch
from PACKAGE.model import chroma

RATE, HOP = 4000, 256


@pytest.mark.parametrize("semitones", [0, 3, 7, 12, 19])
def test_a_tone_is_its_pitch_class(semitones):
    t = torch.arange(8 * HOP) / RATE
    notes = chroma(torch.sin(2 * math.pi * 440 * 2 ** (semitones / 12) * t)[None], RATE, HOP)
    assert notes.shape == (1, 8, 12)
    assert (notes[0, 1:7].argmax(dim=1) == semitones % 12).all()
    assert (notes.sum(dim=2) == 1).all()


def test_silence_has_no_pitch():
    assert chroma(torch.zeros(1, 8 * HOP), RATE, HOP).sum() == 0


@torch.inference_mode()
def test_another_melody_is_another_condition(config):
    model = build_model(config).eval()
    batch = synthetic_batch(config, 1, 0)
    codes = torch.zeros(1, config.n_codebooks, 4, dtype=torch.long)
    t = torch.arange(batch["melody"].size(-1)) / config.sample_rate
    tones = (torch.sin(2 * math.pi * pitch * t)[None, None] for pitch in (220.0, 330.0))
    first, second = (model.scores(codes, {**batch, "melody": tone}) for tone in tones)
    assert not torch.allclose(first, second)
