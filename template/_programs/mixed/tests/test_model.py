"""The model reads every input of a sample and of no other, and is a function of its seed."""

import torch

from PACKAGE import build_model, synthetic_batch

KEYS = ("target_", "present", "edges")


@torch.inference_mode()
def test_every_input_matters(config, model):
    batch = synthetic_batch(config, 3, seed=0)
    before = model(batch)
    for name in batch:
        if name.startswith(KEYS):
            continue
        after = model({**batch, name: batch[name].flip(0)})
        for output in before:
            torch.testing.assert_close(after[output][1], before[output][1])
            assert not torch.allclose(after[output][0], before[output][0])


@torch.inference_mode()
def test_one_sample_of_a_batch_changes_no_other(config, model):
    batch = synthetic_batch(config, 3, seed=0)
    together = model(batch)
    alone = model({name: tensor[1:2] for name, tensor in batch.items()})
    for name in together:
        torch.testing.assert_close(together[name][1:2], alone[name], atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_predictions_are_those_that_are_trained(config, model):
    batch = synthetic_batch(config, 3, seed=0)
    scores, outputs = model(batch), model.predict(batch)
    assert scores.keys() == outputs.keys()
    if config.gives_text:
        written = outputs.pop("text")  # (B, S)
        begun = torch.cat((torch.zeros_like(written[:, :1]), written), dim=1)
        likeliest = model({**batch, "target_tokens": begun})["text"].argmax(dim=-1)
        for ours, theirs in zip(written.tolist(), likeliest.tolist(), strict=True):
            length = ours.index(0) if 0 in ours else len(ours)
            assert ours[:length] == theirs[:length]
    for name, output in outputs.items():
        torch.testing.assert_close(output, scores[name])


def test_the_loss_is_the_sum_of_those_of_the_outputs(config, model):
    batch = synthetic_batch(config, 4, seed=0)
    losses = model.losses(batch)
    torch.testing.assert_close(model.loss(batch), sum(losses.values()))


def test_every_weight_is_trained(config):
    model = build_model(config)
    model.loss(synthetic_batch(config, 4, seed=0)).backward()
    assert all(p.grad is not None for p in model.parameters())
