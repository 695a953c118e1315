"""What the parts promise beyond agreeing with their twins."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from .packages import build_generated, build_parts, config_of  # noqa: E402
from .twins import TWINS  # noqa: E402


@pytest.fixture
def windowed():
    """A model that sees eight tokens, and its module."""
    return build_generated(config_of(sliding_window=8, windowed=True))


@pytest.mark.parametrize("name", TWINS)
def test_models_need_no_memory_on_the_meta_device(name):
    with torch.device("meta"):
        _, model = build_generated(config_of(**TWINS[name].sizes))
        loss = model.loss({"tokens": torch.zeros(2, 33, dtype=torch.long)})
    assert loss.is_meta and loss.shape == ()
    assert not list(model.buffers())


@torch.inference_mode()
def test_a_windowed_cache_is_no_larger_than_the_window(windowed):
    code, model = windowed
    cache = code.KVCache(model.config, 1, 1000, like=model.embed.weight)
    assert cache.keys.size(3) == cache.values.size(3) == 8
    prompt = torch.arange(50)[None]
    text = model.generate(prompt, 100, temperature=0)
    assert text.shape == (1, 150)  # longer than the context, which a window does not bound
    for position in (60, 149):
        likeliest = model(text[:, :position])[:, -1].argmax()
        assert text[0, position] == likeliest


def test_generation_reads_long_prompts_in_pieces(windowed, monkeypatch):
    code, model = windowed
    prompt = torch.arange(50)[None]
    whole = model.generate(prompt, 10, temperature=0)
    monkeypatch.setattr(code, "PREFILL_CHUNK", 7)
    assert torch.equal(model.generate(prompt, 10, temperature=0), whole)


def test_a_context_that_is_too_long_is_refused():
    _, model = build_generated(config_of(context_length=16))
    with pytest.raises(ValueError, match="20 tokens; 16 fit"):
        model.generate(torch.zeros(1, 10, dtype=torch.long), 10)


def test_sampling_follows_its_distribution():
    code, _ = build_parts(config_of())
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log().expand(4000, 4)

    def shares(**how):
        generator = torch.Generator().manual_seed(0)
        tokens = code.sample(logits, generator=generator, **how)[:, 0]
        return torch.bincount(tokens, minlength=4) / len(tokens)

    def expect(*probabilities):
        return pytest.approx(probabilities, abs=0.03)

    assert shares().tolist() == expect(0.5, 0.3, 0.15, 0.05)
    assert shares(top_k=2).tolist() == expect(5 / 8, 3 / 8, 0, 0)
    assert shares(top_p=0.8).tolist() == expect(5 / 8, 3 / 8, 0, 0)
    assert shares(top_p=0.81).tolist() == expect(50 / 95, 30 / 95, 15 / 95, 0)
    assert shares(temperature=0.5).tolist() == expect(0.685, 0.247, 0.062, 0.007)
    assert shares(temperature=0).tolist() == [1, 0, 0, 0]


def test_initial_weights_are_a_function_of_the_seed():
    def weights(seed):
        _, model = build_parts(config_of(seed=seed))
        return torch.cat([p.flatten() for p in model.parameters()])

    torch.manual_seed(1)
    first = weights(0)
    torch.manual_seed(2)
    assert torch.equal(first, weights(0))
    assert not torch.equal(first, weights(1))


def test_reduced_precision_stays_close():
    _, model = build_parts(config_of())
    tokens = torch.arange(40)[None]
    with torch.inference_mode():
        exact = model(tokens)
        rounded = model.bfloat16()(tokens)
    assert rounded.dtype == torch.bfloat16
    assert (rounded - exact).abs().max() < 0.05 * exact.abs().max() + 0.02
