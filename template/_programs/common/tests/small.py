"""The smallest useful configuration: the tiny preset with half of its layers."""

SMALL = dict(n_layers=2, global_batch=8, micro_batch=4, steps=60, eval_samples=16)
