"""The model reads every input of a sample and of no other, and is a function of its seed."""

import torch

from PACKAGE import build_model, synthetic_batch
from PACKAGE.data import inputs_of

KEYS = {"text": "tokens", "image": "images", "audio": "waveform"}


@torch.inference_mode()
def test_every_input_matters(config, model):
    batch = synthetic_batch(config, 3, seed=0)
    before = model(batch)
    for name in inputs_of(config):
        changed = {**batch, KEYS[name]: batch[KEYS[name]].flip(0)}
        after = model(changed)
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


def test_the_loss_is_the_sum_of_those_of_the_outputs(config, model):
    batch = synthetic_batch(config, 4, seed=0)
    losses = model.losses(batch)
    assert len(losses) == len(model(batch))
    torch.testing.assert_close(model.loss(batch), sum(losses.values()))


def test_every_weight_is_trained(config):
    model = build_model(config)
    model.loss(synthetic_batch(config, 4, seed=0)).backward()
    assert all(p.grad is not None for p in model.parameters())
