"""Prompts become tokens, and what is asked for decides what is drawn."""

from dataclasses import replace

import torch

from PACKAGE import build_model, synthetic_batch
from PACKAGE.prompts import encode
from PACKAGE.tokenizer import ByteTokenizer


def test_prompts_are_closed_and_filled_with_the_end_token(config):
    tokenizer = ByteTokenizer()
    tokens = encode(["low", "x" * 1000], tokenizer, config)
    assert tokens.shape == (2, config.prompt_length)
    assert tokens[0, :4].tolist() == [*b"low", tokenizer.end]
    assert (tokens[:, -1] == tokenizer.end).all()


@torch.inference_mode()
def test_prompts_are_heeded(config):
    model = build_model(config).eval()
    batch = synthetic_batch(config, 2, 0)
    codes = torch.zeros(2, config.n_codebooks, 4, dtype=torch.long)
    dropped = {**batch, "dropped": torch.tensor([True, False])}
    before, after = model.scores(codes, batch), model.scores(codes, dropped)
    torch.testing.assert_close(before[1], after[1])
    assert not torch.allclose(before[0], after[0])


@torch.inference_mode()
def test_guidance_of_one_is_no_guidance(config):
    batch = synthetic_batch(config, 2, 0)
    del batch["train_codec"]
    model = build_model(replace(config, guidance_scale=1.0)).eval()
    plain = model.generate(batch, 6, 0)
    for scale, same in ((1.00001, True), (4.0, False)):
        model.config = replace(config, guidance_scale=scale)
        assert torch.allclose(model.generate(batch, 6, 0), plain, atol=1e-4) == same
