"""The smallest useful configuration: the tiny preset with small batches and few steps."""

SMALL = dict(global_batch=8, micro_batch=4, steps=60, eval_samples=16)
