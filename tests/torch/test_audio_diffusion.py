"""The denoiser and the autoencoder of sounds are what their definitions say."""

import math

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402

from .packages import config_of, part  # noqa: E402

SIZES = {"frames": 7, "sample_rate": 800, "ratios": (4, 2), "num_filters": 4, "n_lstm_layers": 1,
         "codebook_dim": 6, "latent_channels": 3, "d_model": 24,
         "n_layers": 3, "n_heads": 2, "d_ff": 40, "time_features": 16, "text_d_model": 12,
         "text_n_heads": 2, "text_d_ff": 24, "text_n_layers": 1, "prompt_length": 7,
         "prediction": "v", "noise_schedule": "cosine"}  # fmt: skip
TOKENS = torch.tensor([[5, 6, 7, 256, 256, 256, 256], [8, 9, 10, 11, 12, 13, 256]])


def build(**switches):
    """A release whose weights are all drawn, in double precision."""
    config = config_of(**SIZES, **switches)
    model = part("audio_diffusion").build_model(config).double().eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
    return config, model


def attention(weights, prefix, x, seen, heads):
    """Softmax attention written out, one query and one head at a time."""
    q, k, v = (
        y @ weights[f"{prefix}.{n}_proj.weight"].T + weights[f"{prefix}.{n}_proj.bias"]
        for n, y in (("q", x), ("k", seen), ("v", seen))
    )
    size, out = q.size(-1) // heads, torch.zeros_like(q)
    for head in range(heads):
        part_of = slice(head * size, (head + 1) * size)
        for t in range(len(q)):
            scores = k[:, part_of] @ q[t, part_of] / math.sqrt(size)
            out[t, part_of] = scores.softmax(0) @ v[:, part_of]
    return out @ weights[f"{prefix}.o_proj.weight"].T + weights[f"{prefix}.o_proj.bias"]


def norm(x):
    return F.layer_norm(x, x.shape[-1:], eps=1e-6)


def wave(value, width):
    """Cosines, then sines, of one number at falling frequencies."""
    angles = [value * 10_000 ** (-i / (width // 2)) for i in range(width // 2)]
    return torch.tensor([f(a) for f in (math.cos, math.sin) for a in angles]).double()


def reference(model, config, noisy, time, given=None, states=None, tokens=None):
    """The denoiser for one sound, from the definition: loops over frames, heads and blocks."""
    weights = model.denoiser.state_dict()

    def linear(name, y):
        return y @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    stream = []
    for t, frame in enumerate(noisy):
        whole = frame if given is None else torch.cat((frame, given[t]))
        stream.append(linear("frame_proj", whole) + wave(t, config.d_model))
    h = torch.stack(stream)
    c = linear("time_embed.up_proj", wave(time, config.time_features))
    c = linear("time_embed.down_proj", F.silu(c))
    if states is not None:
        words = states[: (tokens == tokens[-1]).nonzero()[0].item() + 1]  # up to the first end
        c = c + linear("text_embed", words.mean(dim=0))
    for i in range(config.n_layers):
        name = f"blocks.{i}"
        shift, scale, gate, shift2, scale2, gate2 = linear(f"{name}.modulation", F.silu(c)).chunk(6)
        y = norm(h) * (1 + scale) + shift
        h = h + gate * attention(weights, f"{name}.attn", y, y, config.n_heads)
        if states is not None:
            y = norm(h) * weights[f"{name}.cross_norm.weight"] + weights[f"{name}.cross_norm.bias"]
            h = h + attention(weights, f"{name}.cross_attn", y, words, config.n_heads)
        y = norm(h) * (1 + scale2) + shift2
        hidden = F.gelu(linear(f"{name}.mlp.up_proj", y), approximate="tanh")
        h = h + gate2 * linear(f"{name}.mlp.down_proj", hidden)
    shift, scale = linear("final.modulation", F.silu(c)).chunk(2)
    return linear("final.proj", norm(h) * (1 + scale) + shift)


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
