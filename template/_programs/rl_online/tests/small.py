"""The smallest useful configuration: the tiny preset with few environments and short steps."""

SMALL = dict(n_envs=4, global_batch=64, micro_batch=32, steps=6, warmup_steps=2, eval_samples=2)
