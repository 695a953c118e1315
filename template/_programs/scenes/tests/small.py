"""The smallest useful configuration: the tiny preset with few pictures a step."""

SMALL = dict(global_batch=8, micro_batch=4, eval_samples=16)
