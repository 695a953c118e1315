"""The smallest useful configuration: the tiny preset with short clips."""

SMALL = dict(clip_samples=1024, global_batch=8, micro_batch=4, steps=60, eval_samples=16)
