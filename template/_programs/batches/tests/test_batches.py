"""Batches of a list follow from the seed and the step, however many processes share them."""

from dataclasses import replace

import torch

from PACKAGE.batches import Batches


class Numbers(Batches):
    """Numbers that stand for themselves."""

    def stack(self, samples):
        return {"numbers": torch.tensor(list(samples))}


def test_rows_of_a_batch_are_those_of_the_whole(config):
    config = replace(config, global_batch=2 * config.micro_batch)
    numbers, size = Numbers(config, range(1_000), range(5)), config.global_batch
    whole = numbers.train_batch(7, range(size))["numbers"]
    rows = [numbers.train_batch(7, range(row, row + 1))["numbers"] for row in range(size)]
    assert torch.equal(torch.cat(rows), whole)
    assert not torch.equal(numbers.train_batch(8, range(size))["numbers"], whole)
    other = Numbers(replace(config, seed=config.seed + 1), range(1_000), range(5))
    assert not torch.equal(other.train_batch(7, range(size))["numbers"], whole)


def test_held_out_samples_come_in_order_and_once(config):
    numbers = Numbers(config, range(3), range(10, 17))
    found = [batch["numbers"].tolist() for batch in numbers.val_batches(3)]
    assert found == [[10, 11, 12], [13, 14, 15], [16]]
    assert [b["numbers"].tolist() for b in numbers.val_batches(3, limit=4)] == [[10, 11, 12], [13]]
