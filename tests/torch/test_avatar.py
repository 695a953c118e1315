"""Streams of frames and sound: what follows never changes what came, chunk by chunk or at once."""

import pytest

torch = pytest.importorskip("torch")

from .definitions import build_drawn  # noqa: E402
from .packages import part  # noqa: E402

SIZES = {"chunks": 4, "chunk_frames": 2, "frames": 8, "image_size": 16, "channels": 3,
         "ae_channels": (8, 16), "ae_groups": 4, "ae_layers_per_block": 1, "latent_channels": 3,
         "ae_unit_latents": True, "tubelet": 2, "patch_size": 2, "d_model": 24, "n_layers": 3,
         "n_heads": 2, "d_ff": 40, "time_features": 16, "text_d_model": 12, "text_n_heads": 2,
         "text_d_ff": 24, "text_n_layers": 1, "prompt_length": 7, "prediction": "v",
         "noise_schedule": "cosine", "reads_text": True}  # fmt: skip


def build(**switches):
    """A release whose weights are all drawn, in double precision."""
    config, model = build_drawn("avatar", **SIZES | switches)
    generator = torch.Generator().manual_seed(1)
    chunks = torch.randn(2, 4, part("avatar").chunk_numbers(config), generator=generator).double()
    tokens = torch.tensor([[5, 6, 7, 256, 256, 256, 256], [8, 9, 10, 11, 12, 13, 256]])
    with torch.no_grad():
        states = model.text_encoder(tokens)
        picture = torch.randn(2, 3, 8, 8, generator=generator).double()
        past = model.before(states, tokens, picture)
    return config, model, chunks, states, tokens, past


TIMES = torch.tensor([[100.0, 400.0, 20.0, 900.0], [0.0, 999.0, 500.0, 3.0]]).double()


@pytest.mark.parametrize(("reads_image", "history"), [(True, 3), (True, 8), (False, 3), (False, 1)])
@torch.no_grad()
def test_chunk_by_chunk_equals_all_at_once(reads_image, history):
    """The same past, kept chunk by chunk, gives what the block-causal mask gives."""
    config, model, chunks, states, tokens, past = build(
        reads_image=reads_image, history_chunks=history
    )
    whole, _ = model.denoiser(chunks, TIMES, states, tokens, past)
    home = part("avatar_dit")
    shown, length = home.positions(config)
    for i in range(chunks.size(1)):
        now = slice(i, i + 1)
        alone, past = model.denoiser(chunks[:, now], TIMES[:, now], states, tokens, past)
        past = home.kept(past, shown, length * history)
        torch.testing.assert_close(alone[:, 0], whole[:, i], atol=1e-7, rtol=1e-7)


@torch.no_grad()
def test_later_chunks_do_not_influence_earlier_ones():
    _, model, chunks, states, tokens, past = build(history_chunks=4)
    before, _ = model.denoiser(chunks, TIMES, states, tokens, past)
    changed = chunks.clone()
    changed[:, 2] += 1
    after, _ = model.denoiser(changed, TIMES, states, tokens, past)
    assert torch.equal(before[:, :2], after[:, :2])
    assert (before[:, 2:] - after[:, 2:]).abs().amax(dim=2).min() > 1e-6


@torch.no_grad()
def test_frames_and_sound_of_a_chunk_see_each_other():
    config, model, chunks, states, tokens, past = build(history_chunks=4)
    split = part("avatar_dit").parted
    before = split(config, model.denoiser(chunks, TIMES, states, tokens, past)[0][:, 1])
    heard = config.chunk_codes * config.sound_channels
    for place in (slice(0, 5), slice(-heard, None)):
        changed = chunks.clone()
        changed[:, 1, place] += 1
        after = split(config, model.denoiser(changed, TIMES, states, tokens, past)[0][:, 1])
        for ours, theirs in zip(before, after, strict=True):
            assert (ours - theirs).abs().min() > 0


@torch.no_grad()
def test_sound_is_causal_and_decoded_chunk_by_chunk():
    config, model, *_ = build(history_chunks=4)
    coder = model.sound
    sound = torch.randn(2, config.chunks * config.chunk_codes * config.code_samples).double()
    codes = coder.encode(sound)
    assert codes.shape == (2, config.chunks * config.chunk_codes, config.sound_channels)
    half = sound.size(1) // 2
    torch.testing.assert_close(coder.encode(sound[:, :half]), codes[:, : codes.size(1) // 2])
    whole = coder.decode(codes)
    assert whole.shape == sound.shape
    for end in range(12, 21):  # eight codes of the past are all that a code's sound depends on
        part_of = coder.decode(codes[:, end - 9 : end])[:, -config.code_samples :]
        expected = whole[:, (end - 1) * config.code_samples : end * config.code_samples]
        torch.testing.assert_close(part_of, expected, atol=1e-8, rtol=1e-8)


def test_every_weight_has_a_gradient():
    config, model, chunks, states, tokens, past = build(history_chunks=4)
    batch = {
        "video": torch.rand(2, 8, 3, 16, 16).double(), "sound": torch.rand(2, 400).double(),
        "tokens": tokens, "dropped": torch.tensor([True, False]), "noise": chunks,
        "quantiles": torch.rand(2, 4).double(),
        "posterior_noise": torch.randn(2, 2, 3, 8, 8).double(),
    }  # fmt: skip
    model.loss(batch).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []


def test_a_stream_is_a_function_of_its_noise():
    config, model, chunks, states, tokens, past = build(history_chunks=2)
    picture = torch.rand(2, 3, 16, 16).double()

    def run(scale, count):
        noises = iter(chunks[:, :count].unbind(1))
        return list(model.stream(noises, tokens, picture, steps=2, scale=scale))

    made = run(2.0, 4)
    assert len(made) == 4 and made[0][0].shape == (2, 2, 3, 16, 16) and made[0][1].shape == (2, 100)
    for ours, theirs in zip(made[:2], run(2.0, 2), strict=True):  # shorter streams begin alike
        assert torch.equal(ours[0], theirs[0]) and torch.equal(ours[1], theirs[1])
    assert not torch.equal(made[0][0], run(1.0, 1)[0][0])
