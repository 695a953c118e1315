"""The smallest useful configuration: the tiny preset with one layer and small batches."""

SMALL = dict(n_layers=1, global_batch=8, micro_batch=4, steps=60, warmup_steps=10, eval_samples=16)
