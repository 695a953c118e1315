"""The denoiser of shapes is what its definition says, and points have no order."""

import math

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402

from .definitions import build_drawn, linear, modulated_block, norm, wave  # noqa: E402
from .packages import config_of, part  # noqa: E402

SIZES = {"grid_size": 4, "patch_size": 2, "num_points": 5, "d_model": 24, "n_layers": 2,
         "n_heads": 2, "d_ff": 40, "time_features": 16, "text_d_model": 12, "text_n_heads": 2,
         "text_d_ff": 24, "text_n_layers": 1, "prompt_length": 7, "image_size": 4, "channels": 2,
         "picture_patch": 2, "num_classes": 3, "prediction": "v", "noise_schedule": "linear",
         "conditioned": True}  # fmt: skip


def build(**switches):
    return build_drawn("shape_diffusion", **SIZES | switches)


def reference(model, config, noisy, time, told):
    """The denoiser for one shape, from the definition: loops over tokens, patches and blocks."""
    weights, dim = model.denoiser.state_dict(), config.d_model

    stream, places, size = [], [], config.patch_size
    if config.representation == "grid":
        side = config.grid_size // size
        places = [(i, j, k) for i in range(side) for j in range(side) for k in range(side)]
        for place in places:
            cube = noisy[tuple(slice(size * p, size * (p + 1)) for p in place)]
            position = [x for p in place for x in wave(p, dim // 6 * 2)]
            position = torch.tensor(position + [0.0] * (dim - len(position))).double()
            stream.append(linear(weights, "in_proj", cube.flatten()) + position / math.sqrt(2))
    else:
        stream = [linear(weights, "in_proj", point) for point in noisy]
    h, context = torch.stack(stream), []
    c = linear(weights, "time_embed.up_proj", torch.tensor(wave(time, 16)).double())
    c = linear(weights, "time_embed.down_proj", F.silu(c))
    if config.labelled:
        c = c + weights["label_embed.weight"][told["labels"]]
    if config.reads_text:
        words = linear(weights, "text_proj", told["states"])
        ends = (told["tokens"] == told["tokens"][-1]).nonzero()[0].item()
        context.append(words)
        c = c + words[: ends + 1].mean(dim=0)
    if config.reads_image:
        seen = []
        for row in range(0, config.image_size, config.picture_patch):
            for column in range(0, config.image_size, config.picture_patch):
                far = config.picture_patch
                square = told["pictures"][:, row : row + far, column : column + far]
                where = wave(column // far, dim // 2, (math.sin, math.cos))
                where += wave(row // far, dim // 2, (math.sin, math.cos))
                seen.append(
                    linear(weights, "picture_proj", square.flatten()) + torch.tensor(where).double()
                )
        context.append(torch.stack(seen))
        c = c + context[-1].mean(dim=0)
    seen = torch.cat(context) if context else None
    for i in range(config.n_layers):
        h = modulated_block(weights, f"blocks.{i}", h, c, config.n_heads, seen)
    shift, scale = linear(weights, "final.modulation", F.silu(c)).chunk(2)
    out = linear(weights, "final.proj", norm(h) * (1 + scale) + shift)
    if config.representation == "points":
        return out
    made = torch.zeros_like(noisy)
    for place, cube in zip(places, out, strict=True):
        made[tuple(slice(size * p, size * (p + 1)) for p in place)] = cube.view(size, size, size)
    return made


@pytest.mark.parametrize(
    "switches",
    [
        {"reads_text": True, "reads_image": True, "labelled": True},
        {"reads_text": False, "reads_image": True},
        {"reads_text": False, "reads_image": False, "labelled": True},
        {"reads_text": True, "reads_image": False, "representation": "points"},
    ],
    ids=str,
)
@torch.no_grad()
def test_the_denoiser_equals_its_definition(switches):
    config, model = build(**switches)
    generator = torch.Generator().manual_seed(1)
    shape = part("shape_diffusion").shape_size(config)
    batch = {
        "tokens": torch.tensor([[5, 6, 7, 256, 256, 256, 256], [8, 9, 10, 11, 12, 13, 256]]),
        "pictures": torch.randn(2, 2, 4, 4, generator=generator).double(),
        "labels": torch.tensor([2, 0]),
    }
    told = model.told(batch, torch.tensor([False, True]))
    noisy = torch.randn((2, *shape), generator=generator).double()
    times = torch.tensor([250.0, 900.0])
    found = model.denoiser(noisy, times, **told)
    for i in range(2):
        one = {name: part_of[i] for name, part_of in told.items()}
        expected = reference(model, config, noisy[i], times[i].item(), one)
        torch.testing.assert_close(found[i], expected, atol=1e-4, rtol=1e-4)
    if config.labelled:
        assert told["labels"].tolist() == [2, config.num_classes]
    if config.reads_image:
        assert told["pictures"][1].eq(0).all() and told["pictures"][0].ne(0).any()


@torch.no_grad()
def test_points_have_no_order():
    config, model = build(representation="points", reads_text=False, reads_image=False)
    noisy, times = torch.randn(2, 5, 3).double(), torch.tensor([10.0, 600.0])
    told = model.told({}, torch.tensor([False, False]))
    order = torch.tensor([3, 1, 4, 0, 2])
    found = model.denoiser(noisy, times, **told)
    torch.testing.assert_close(model.denoiser(noisy[:, order], times, **told), found[:, order])


@torch.no_grad()
def test_samples_are_denoised_shapes():
    config, model = build(representation="points", reads_text=False, reads_image=False)
    noise = torch.randn(2, 5, 3).double()
    torch.testing.assert_close(model.decode(model.encode(noise)), noise)
    made = model.generate({"noise": noise}, 3, 2.0)
    assert made.shape == noise.shape and made.isfinite().all()


@pytest.mark.parametrize("prediction", ["noise", "v", "flow"])
def test_clean_grids_imply_the_answer(prediction):
    diffusion, shapes = part("diffusion"), part("shape_diffusion")
    config = config_of(**SIZES | {"prediction": prediction})
    generator = torch.Generator().manual_seed(0)
    clean, noise = (torch.randn(4, 4, 4, 4, generator=generator) for _ in range(2))
    times = torch.tensor([300.0, 500.0, 700.0, 999.0])
    noisy = diffusion.corrupt(config, clean, noise, times)
    found = shapes.implied(config, noisy, clean, times)
    wanted = diffusion.target(config, clean, noise, times)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
    nearly = shapes.implied(config, noisy, clean + 1, torch.tensor([1.0] * 4)) - noise
    assert nearly.abs().max() < 100  # where there is hardly any noise, errors stay bounded
