"""The smallest useful configuration: the tiny preset with few episodes."""

SMALL = dict(n_layers=1, episodes=40, global_batch=16, micro_batch=8, steps=60, eval_samples=16)
