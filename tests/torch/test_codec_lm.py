"""MusicGen's decoder: the same outputs as the library's with copied weights; the delay pattern."""

from __future__ import annotations

import re

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from .packages import config_of, part  # noqa: E402

SIZE = dict(
    d_model=32, n_layers=3, n_heads=4, head_dim=8, d_ff=48, codebook_size=20, n_codebooks=4,
    pos="sinusoidal", mlp="plain", activation="gelu", attn_bias=False, key_bias=False,
    mlp_bias=False, attn_scale=True, conditioned=True, norm_eps=1e-5,
)  # fmt: skip
NAMES = (
    (r"^model\.decoder\.", ""),
    (r"^lm_heads", "heads"),
    (r"^embed_tokens", "embeds"),
    (r"^layer_norm", "norm"),
    (r"^layers", "blocks"),
    (r"self_attn_layer_norm", "attn_norm"),
    (r"encoder_attn_layer_norm", "cross_norm"),
    (r"final_layer_norm", "mlp_norm"),
    (r"self_attn", "attn"),
    (r"encoder_attn", "cross"),
    (r"out_proj", "o_proj"),
    (r"fc1", "mlp.up_proj"),
    (r"fc2", "mlp.down_proj"),
)


def library(sizes):
    """MusicGen's decoder at our dimensions, its weights random."""
    config = transformers.MusicgenDecoderConfig(
        vocab_size=sizes["codebook_size"], num_hidden_layers=sizes["n_layers"],
        ffn_dim=sizes["d_ff"], num_attention_heads=sizes["n_heads"], hidden_size=sizes["d_model"],
        num_codebooks=sizes["n_codebooks"], max_position_embeddings=64,
        pad_token_id=sizes["codebook_size"], bos_token_id=sizes["codebook_size"],
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.MusicgenForCausalLM(config).eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return model


def ours(theirs, sizes):
    """Our decoder with the library's weights."""
    config = config_of(**sizes)
    model = part("code_lm").CodeLM(config).eval()
    state = {}
    for name, tensor in theirs.state_dict().items():
        for pattern, replacement in NAMES:
            name = re.sub(pattern, replacement, name)
        if sizes["conditioned"] or "cross" not in name:
            state[name] = tensor
    model.load_state_dict(state)
    return model


@pytest.fixture(params=[True, False], ids=["conditioned", "alone"])
def pair(request):
    sizes = SIZE | {"conditioned": request.param}
    theirs = library(sizes)
    return theirs, ours(theirs, sizes), request.param


@torch.inference_mode()
def test_outputs_are_those_of_the_library(pair):
    theirs, model, conditioned = pair
    codes = torch.randint(SIZE["codebook_size"] + 1, (2, 4, 11))
    memory = torch.randn(2, 5, SIZE["d_model"]) if conditioned else None
    wanted = theirs(codes.flatten(0, 1), encoder_hidden_states=memory).logits
    found = model(codes, memory).flatten(0, 1)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_cached_steps_equal_one_pass(pair):
    _, model, conditioned = pair
    codes = torch.randint(SIZE["codebook_size"], (2, 4, 9))
    memory = torch.randn(2, 5, SIZE["d_model"]) if conditioned else None
    cache = model.new_cache(2, 9)
    first = model(codes[:, :, :4], memory, cache)
    rest = [model(codes[:, :, i : i + 1], memory, cache) for i in range(4, 9)]
    whole = model(codes, memory)
    torch.testing.assert_close(torch.cat((first, *rest), dim=2), whole, atol=1e-5, rtol=1e-4)
    assert cache.seen == 9


@pytest.mark.parametrize(("books", "frames"), [(1, 6), (4, 5), (3, 9)])
def test_the_delay_pattern_is_the_librarys(books, frames):
    lm = part("code_lm")
    sizes = SIZE | {"n_codebooks": books, "n_layers": 1}
    theirs, empty = library(sizes), SIZE["codebook_size"]
    steps = frames + books
    start = torch.full((2 * books, 1), empty)
    _, pattern = theirs.build_delay_pattern_mask(start, empty, max_length=steps)
    codes = torch.full((2, books, frames), lm.UNKNOWN)
    late = lm.delay(codes, empty)
    assert torch.equal(pattern.view(2, books, steps)[:, :, 1:], late)
    known = torch.randint(empty, (2, books, frames))
    assert torch.equal(lm.align(lm.delay(known, empty)), known)
    prompt = torch.cat((start.view(2, books, 1), known[:, :, :2]), dim=2)
    _, pattern = theirs.build_delay_pattern_mask(prompt.flatten(0, 1), empty, max_length=steps)
    codes[:, :, :2] = known[:, :, :2]
    assert torch.equal(pattern.view(2, books, steps)[:, :, 1:], lm.delay(codes, empty))


@torch.inference_mode()
def test_generation_continues_what_is_known_greedily():
    sizes = SIZE | {"conditioned": True}
    model = ours(library(sizes), sizes)
    lm, memory = part("code_lm"), torch.randn(1, 5, SIZE["d_model"])
    codes = torch.full((1, 4, 8), lm.UNKNOWN)
    codes[:, :, :3] = torch.randint(20, (1, 4, 3))
    made = model.generate(codes, 0, memory=memory)
    assert torch.equal(made[:, :, :3], codes[:, :, :3]) and made.min() >= 0
    late = lm.delay(made, model.empty)
    start = torch.full((1, 4, 1), model.empty)
    scores = model(torch.cat((start, late[:, :, :-1]), dim=2), memory)
    likeliest = lm.align(scores.argmax(-1))
    assert torch.equal(likeliest[:, :, 3:], made[:, :, 3:])
    plain = model.generate(codes, 0, None, None, memory, torch.randn_like(memory), 1.0)
    assert torch.equal(plain, made)


@torch.inference_mode()
def test_guidance_moves_away_from_the_unconditional():
    model = ours(library(SIZE), SIZE)
    lm, memory = part("code_lm"), torch.randn(2, 5, SIZE["d_model"])
    codes = torch.full((2, 4, 6), lm.UNKNOWN)
    nothing = torch.zeros_like(memory)
    without = model.generate(codes, 0, memory=nothing)
    assert torch.equal(model.generate(codes, 0, None, None, memory, nothing, 0.0), without)
    seeded = [
        model.generate(codes, 1, 9, torch.Generator().manual_seed(7), memory, nothing, 3.0)
        for _ in range(2)
    ]
    assert torch.equal(*seeded)


def test_the_loss_counts_codes_and_nothing_else():
    model = ours(library(SIZE), SIZE)
    lm, memory = part("code_lm"), torch.randn(2, 5, SIZE["d_model"])
    codes = torch.randint(20, (2, 4, 7))
    late = lm.delay(codes, model.empty)
    start = torch.full((2, 4, 1), model.empty)
    logits = lm.align(model(torch.cat((start, late[:, :, :-1]), 2), memory).flatten(3).movedim(3, 0)
                      .flatten(0, 1)).unflatten(0, (20, 2)).movedim(0, 3)  # fmt: skip
    nats = -logits.log_softmax(-1).gather(-1, codes[..., None]).mean()
    torch.testing.assert_close(model.loss(codes, memory), nats)
