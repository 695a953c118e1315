"""The denoiser of clips is what its definition says, and its sampler undoes its noise."""

import math

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402

from .definitions import build_drawn, linear, modulated_block, norm, wave  # noqa: E402

SIZES = {"frames": 4, "image_size": 16, "channels": 3, "ae_channels": (8, 16), "ae_groups": 4,
         "ae_layers_per_block": 1, "latent_channels": 3, "ae_unit_latents": True, "tubelet": 2,
         "patch_size": 2, "d_model": 24, "n_layers": 3, "n_heads": 2, "d_ff": 40,
         "time_features": 16, "text_d_model": 12, "text_n_heads": 2, "text_d_ff": 24,
         "text_n_layers": 1, "prompt_length": 7, "prediction": "v",
         "noise_schedule": "cosine"}  # fmt: skip


def build(**switches):
    return build_drawn("video_diffusion", **SIZES, **switches)


def reference(model, config, noisy, time, given, states, tokens):
    """The denoiser for one clip, from the definition: loops over patches, groups and blocks."""
    weights = model.denoiser.state_dict()
    inputs = torch.cat((noisy, given), dim=1)  # (Z, 2C + 1, Y, X)
    frames, _, rows, columns = inputs.shape
    size, span, dim = config.patch_size, config.tubelet, config.d_model
    places = [(z, y, x) for z in range(0, frames, span) for y in range(0, rows, size)
              for x in range(0, columns, size)]  # fmt: skip
    per_group = len(places) // (frames // span)

    stream = []
    for z, y, x in places:
        block = inputs[z : z + span, :, y : y + size, x : x + size]
        patch = linear(weights, "patch_embed", block.permute(0, 2, 3, 1).flatten())
        column, row = x // size, y // size
        order = (math.sin, math.cos)
        space = wave(column, dim // 2, order) + wave(row, dim // 2, order)
        when = wave(z // span, dim, (math.cos, math.sin))
        stream.append(patch + (torch.tensor(space) + torch.tensor(when)).double() / math.sqrt(2))
    h = torch.stack(stream)
    c = linear(weights, "time_embed.up_proj", torch.tensor(wave(time, 16)).double())
    c = linear(weights, "time_embed.down_proj", F.silu(c))
    words = states[: (tokens == tokens[-1]).nonzero()[0].item() + 1]  # up to the first end
    c = c + linear(weights, "text_embed", words.mean(dim=0))
    index = torch.arange(len(places))
    within = [index[index // per_group == g] for g in range(frames // span)]
    across = [index[index % per_group == n] for n in range(per_group)]
    for i in range(config.n_layers):
        groups = [index] if config.clip_attention == "full" else (within, across)[i % 2]
        h = modulated_block(weights, f"blocks.{i}", h, c, config.n_heads, words, groups)
    shift, scale = linear(weights, "final.modulation", F.silu(c)).chunk(2)
    out = linear(weights, "final.proj", norm(h) * (1 + scale) + shift)
    made = torch.zeros_like(noisy)
    for (z, y, x), patch in zip(places, out, strict=True):
        block = patch.view(span, size, size, -1).permute(0, 3, 1, 2)
        made[z : z + span, :, y : y + size, x : x + size] = block
    return made


@pytest.mark.parametrize("clip_attention", ["factorised", "full"])
@torch.no_grad()
def test_the_denoiser_equals_its_definition(clip_attention):
    config, model = build(clip_attention=clip_attention, conditioned=True, reads_text=True)
    generator = torch.Generator().manual_seed(1)
    noisy = torch.randn(2, 4, 3, 8, 8, generator=generator).double()
    given = model.known(torch.randn(2, 4, 3, 8, 8, generator=generator).double(), 1)
    tokens = torch.tensor([[5, 6, 7, 256, 256, 256, 256], [8, 9, 10, 11, 12, 13, 256]])
    states, times = model.read(tokens), torch.tensor([250.0, 900.0])
    found = model.denoiser(noisy, times, given, states, tokens)
    for i in range(2):
        args = (noisy[i], times[i].item(), given[i], states[i], tokens[i])
        torch.testing.assert_close(found[i], reference(model, config, *args), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_what_is_given_is_known_where_it_is():
    _, model = build(conditioned=True, reads_text=False)
    codes = torch.randn(2, 4, 3, 8, 8).double()
    known = model.known(codes, 2, torch.tensor([True, False]))
    assert torch.equal(known[0, :2, :3], codes[0, :2]) and known[0, :2, 3].eq(1).all()
    assert known[0, 2:].eq(0).all() and known[1].eq(0).all()
