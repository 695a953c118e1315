"""The smallest useful configuration: the tiny preset with one layer and small batches."""

SMALL = dict(n_layers=1, global_batch=8, micro_batch=8, steps=60, eval_samples=16)
