"""Prompts become tokens, and what follows the end of one is not heard."""

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
def test_states_behind_the_end_of_a_prompt_do_not_matter(config):
    model, batch = build_model(config).eval(), synthetic_batch(config, 1, 0)
    with torch.no_grad():
        for parameter in model.denoiser.parameters():
            parameter += 0.05
    batch["tokens"] = encode(["low"], ByteTokenizer(), config)
    told = model.conditions(batch, config.frames)
    before = model.denoiser(batch["noise"], torch.tensor([300.0]), **told)
    told["states"] = told["states"].clone()
    told["states"][:, 4:] += 1
    after = model.denoiser(batch["noise"], torch.tensor([300.0]), **told)
    torch.testing.assert_close(before, after)
    told["states"][:, :4] += 1
    assert not torch.allclose(before, model.denoiser(batch["noise"], torch.tensor([300.0]), **told))
