"""The smallest useful configuration: the tiny preset with small batches."""

SMALL = dict(
    global_batch=8, micro_batch=4, steps=60, warmup_steps=10, eval_samples=16, val_fraction=0.02
)
