"""The denoiser and the autoencoder of sounds are what their definitions say."""

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402

from .definitions import build_drawn, linear, modulated_block, norm, wave  # noqa: E402
from .packages import part  # noqa: E402

SIZES = {"frames": 7, "sample_rate": 800, "ratios": (4, 2), "num_filters": 4, "n_lstm_layers": 1,
         "codebook_dim": 6, "latent_channels": 3, "d_model": 24,
         "n_layers": 3, "n_heads": 2, "d_ff": 40, "time_features": 16, "text_d_model": 12,
         "text_n_heads": 2, "text_d_ff": 24, "text_n_layers": 1, "prompt_length": 7,
         "prediction": "v", "noise_schedule": "cosine"}  # fmt: skip
TOKENS = torch.tensor([[5, 6, 7, 256, 256, 256, 256], [8, 9, 10, 11, 12, 13, 256]])


def build(**switches):
    return build_drawn("audio_diffusion", **SIZES, **switches)


def reference(model, config, noisy, time, given=None, states=None, tokens=None):
    """The denoiser for one sound, from the definition: loops over frames, heads and blocks."""
    weights = model.denoiser.state_dict()

    stream = []
    for t, frame in enumerate(noisy):
        whole = frame if given is None else torch.cat((frame, given[t]))
        stream.append(linear(weights, "frame_proj", whole) + torch.tensor(wave(t, config.d_model)))
    h = torch.stack(stream)
    clock = torch.tensor(wave(time, config.time_features)).double()
    c = linear(weights, "time_embed.up_proj", clock)
    c = linear(weights, "time_embed.down_proj", F.silu(c))
    words = None
    if states is not None:
        words = states[: (tokens == tokens[-1]).nonzero()[0].item() + 1]  # up to the first end
        c = c + linear(weights, "text_embed", words.mean(dim=0))
    for i in range(config.n_layers):
        h = modulated_block(weights, f"blocks.{i}", h, c, config.n_heads, words)
    shift, scale = linear(weights, "final.modulation", F.silu(c)).chunk(2)
    return linear(weights, "final.proj", norm(h) * (1 + scale) + shift)


@pytest.mark.parametrize(
    ("conditioned", "continued"), [(True, False), (False, True), (True, True)], ids=str
)
@torch.no_grad()
def test_the_denoiser_equals_its_definition(conditioned, continued):
    config, model = build(conditioned=conditioned, continued=continued)
    generator = torch.Generator().manual_seed(1)
    noisy = torch.randn(2, 7, 3, generator=generator).double()
    batch = {"dropped": torch.tensor([False, False]), "tokens": TOKENS}
    batch["opening"] = torch.randn(2, 1, 16, generator=generator).double()
    told, times = model.conditions(batch, 7), torch.tensor([250.0, 900.0])
    found = model.denoiser(noisy, times, **told)
    for i in range(2):
        own = {name: tensor[i] for name, tensor in told.items()}
        expected = reference(model, config, noisy[i], times[i].item(), **own)
        torch.testing.assert_close(found[i], expected, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_what_is_given_is_known_where_it_is():
    _, model = build(conditioned=False, continued=True)
    opening = torch.randn(2, 1, 16, generator=torch.Generator().manual_seed(1)).double()
    codes = model.encode(opening)
    known = part("audio_diffusion").known(codes, 7, torch.tensor([True, False]))
    assert known.shape == (2, 7, 4) and torch.equal(known[0, :2, :3], codes[0])
    assert known[0, :2, 3].eq(1).all() and known[0, 2:].eq(0).all() and known[1].eq(0).all()


@torch.no_grad()
def test_the_autoencoder_loses_what_its_loss_says():
    config, model = build(kl_weight=0.25)
    generator = torch.Generator().manual_seed(2)
    sound = torch.randn(2, 1, 32, generator=generator).double()
    noise = torch.randn(2, 4, 3, generator=generator)
    autoencoder = model.autoencoder
    frames = autoencoder.to_moments(autoencoder.encoder(sound))  # (B, 2Z, T)
    mean, log_variance = frames[:, :3].transpose(1, 2), frames[:, 3:].transpose(1, 2)
    drawn = mean + log_variance.exp().sqrt() * noise
    drawn = drawn - drawn.mean(dim=(1, 2), keepdim=True)
    drawn = drawn / (drawn.square().mean(dim=(1, 2), keepdim=True) + 1e-5).sqrt()
    restored = autoencoder.decoder(autoencoder.from_codes(drawn.transpose(1, 2)))
    nats = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, (log_variance / 2).exp()),
        torch.distributions.Normal(torch.zeros_like(mean), 1.0),
    ).mean()
    lost = part("spectral_loss").reconstruction_loss(restored, sound, config.sample_rate)
    expected = lost + 0.25 * nats
    found = autoencoder.loss(sound, noise)
    torch.testing.assert_close(found.double(), expected.double(), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_noise_is_undone_where_the_denoiser_knows():
    """Sampling ends where an all-knowing denoiser points to, whatever the sampler."""
    config, model = build(conditioned=False)
    diffusion = part("diffusion")
    clean = torch.randn(2, 7, 3, generator=torch.Generator().manual_seed(3))
    noise = torch.randn(2, 7, 3, generator=torch.Generator().manual_seed(4))

    def knows(noisy, times):
        signal, level = (diffusion.over(v, noisy) for v in diffusion.levels(config, times))
        return (signal * noisy - clean) / level  # v, of which the clean sample follows

    for sampler in diffusion.SAMPLERS:
        made = diffusion.sample(config, knows, noise, 6, sampler)
        torch.testing.assert_close(made, clean, atol=1e-3, rtol=1e-3)
