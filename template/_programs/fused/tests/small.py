"""The smallest useful configuration: the tiny preset with small batches."""

SMALL = dict(global_batch=16, micro_batch=16, steps=60, eval_samples=32)
