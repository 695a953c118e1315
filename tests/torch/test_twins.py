"""Every architecture computes what its `transformers` twin computes, is causal, and caches."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from .packages import build_generated, build_parts, config_of  # noqa: E402
from .twins import SIZE, TWINS, Twin  # noqa: E402

FORMS = {"parts": build_parts, "generated": build_generated}


def tokens_of(length: int, batch_size: int = 2):
    generator = torch.Generator().manual_seed(length)
    return torch.randint(SIZE["vocab_size"], (batch_size, length), generator=generator)


def library_model(twin: Twin):
    """The library's model with random weights everywhere, norms and biases included."""
    name = twin.library if twin.library.endswith("Model") else f"{twin.library}ForCausalLM"
    library_class = getattr(transformers, name)
    config = library_class.config_class(**twin.library_kwargs)
    config._attn_implementation = "eager"
    model = library_class(config).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            scale = parameter.size(-1) ** -0.5 if parameter.dim() > 1 else 0.2
            parameter.copy_(noise * scale + (parameter if parameter.dim() == 1 else 0))
    return model


@dataclass(frozen=True)
class Pair:
    """A library's model and ours with the same weights, and the module that ours comes from."""

    theirs: torch.nn.Module
    ours: torch.nn.Module
    code: ModuleType


@pytest.fixture(scope="module", params=FORMS)
def build(request):
    """Builds a model from a configuration: of the parts as they are, or of generated source."""
    return FORMS[request.param]


@pytest.fixture(scope="module", params=TWINS)
def pair(request, build):
    """Every twin in turn."""
    twin = TWINS[request.param]
    theirs = library_model(twin)
    code, ours = build(config_of(**twin.sizes))
    ours.load_state_dict(twin.ours(theirs.state_dict()))
    return Pair(theirs, ours, code)


@torch.inference_mode()
def test_logits_equal_those_of_the_library(pair):
    tokens = tokens_of(40)
    expected = pair.theirs(tokens).logits
    assert expected.std() > 0.3  # weights of a size at which a difference would show
    torch.testing.assert_close(pair.ours(tokens), expected, atol=1e-4, rtol=0)


@torch.inference_mode()
def test_a_token_changes_no_earlier_logits(pair):
    tokens = tokens_of(24)
    changed = tokens.clone()
    changed[:, 13] = (changed[:, 13] + 1) % SIZE["vocab_size"]
    before, after = pair.ours(tokens), pair.ours(changed)
    assert torch.equal(before[:, :13], after[:, :13])
    assert (before[:, 13] != after[:, 13]).any()


@pytest.mark.parametrize("pieces", [[24], [1] * 24, [5, 1, 1, 9, 8]], ids=str)
@torch.inference_mode()
def test_cached_and_uncached_logits_agree(pair, pieces):
    tokens = tokens_of(24)
    cache = pair.code.KVCache(pair.ours.config, 2, 24, like=pair.ours.embed.weight)
    parts = [pair.ours(piece, cache) for piece in tokens.split(pieces, dim=1)]
    torch.testing.assert_close(torch.cat(parts, dim=1), pair.ours(tokens), atol=1e-4, rtol=0)


@torch.inference_mode()
def test_generation_equals_that_of_the_library(pair):
    prompt = tokens_of(9, batch_size=1)
    tokens = prompt
    for _ in range(20):
        scores = pair.theirs(tokens).logits[:, -1]
        tokens = torch.cat((tokens, scores.argmax(dim=-1, keepdim=True)), dim=1)
    assert torch.equal(pair.ours.generate(prompt, 20, temperature=0), tokens)


def test_every_switch_has_a_twin():
    """No value of a structural switch goes without an independent reference."""
    configs = [vars(config_of(**twin.sizes)) for twin in TWINS.values()]
    used = {name: {config[name] for config in configs} for name in configs[0]}
    assert used["norms_per_layer"] == {1, 2, 4}
    assert used["qk_norm"] == {"none", "per_head", "full"}
    assert used["activation"] == {"silu", "gelu", "gelu_new", "gelu_tanh", "relu"}
    assert used["norm"] == {"rmsnorm", "layernorm"}
    assert used["mlp"] == {"gated", "plain"}
    assert used["pos"] == {"rope", "learned"}
    for name in SEEN_BOTH_WAYS:
        assert used[name] == {False, True}, name


SEEN_BOTH_WAYS = (
    "norm_bias",
    "post_norm",
    "attn_qkv_bias",
    "attn_out_bias",
    "mlp_bias",
    "lm_head_bias",
    "tied",
    "parallel_block",
    "embed_scale",
    "windowed",
    "moe",
    "norm_topk",
)
