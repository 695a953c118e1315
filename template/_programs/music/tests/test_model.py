"""Codes are delayed and drawn as they should be, and each network learns from its own loss."""

import torch

from PACKAGE import build_model, synthetic_batch
from PACKAGE.lm import UNKNOWN, align, delay


def asked(config, size=2, seed=0):
    """What a sound is drawn for."""
    batch = synthetic_batch(config, size, seed)
    if config.conditioned:
        del batch["train_codec"]
    else:
        batch = {"opening": batch["waveform"][..., :16]}
    return batch


def test_sounds_have_the_length_that_is_asked_for(config, model):
    made = model.generate(asked(config), 6, generator=torch.Generator().manual_seed(1))
    assert made.shape == (2, 1, 6 * model.codec.hop)
    assert made.isfinite().all()


def test_seeds_decide_sounds_and_weights(config, model):
    sounds = [
        model.generate(asked(config), 5, generator=torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    ]
    assert torch.equal(sounds[0], sounds[1])
    pairs = zip(model.parameters(), build_model(config).parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_delay_can_be_undone():
    codes = torch.arange(24).view(1, 3, 8)
    late = delay(codes, 99)
    assert late.shape == (1, 3, 10)
    assert late[0, 2].tolist() == [99, 99, *range(16, 24)]
    assert torch.equal(align(late), codes)


@torch.inference_mode()
def test_every_code_is_the_likeliest_after_those_before_it(config, model):
    size = config.codebook_size
    codes = torch.randint(size, (1, config.n_codebooks, 7))
    known = codes.clone()
    known[:, :, 3:] = UNKNOWN
    if config.conditioned:
        memory = torch.randn(1, 5, config.d_model)
        made = model.lm.generate(known, 0, memory=memory)
    else:
        memory = None
        made = model.lm.generate(known, 0)
    assert torch.equal(made[:, :, :3], codes[:, :, :3])
    late = delay(made, size)
    start = torch.full_like(late[:, :, :1], size)
    scores = model.lm(torch.cat((start, late[:, :, :-1]), dim=2), memory)
    assert torch.equal(align(scores.argmax(dim=-1))[:, :, 3:], made[:, :, 3:])


def test_the_codec_learns_from_its_own_loss_alone(config, model):
    batch = synthetic_batch(config, 2, 0)
    model.train().loss(batch).backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    model.zero_grad()
    del batch["train_codec"]
    model.loss(batch).backward()
    assert all(p.grad is None for p in model.codec.parameters())
    assert all(p.grad is not None for p in model.lm.parameters())
