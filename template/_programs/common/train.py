"""Train the model.

On a laptop, the tiny preset on the built-in data:

    python -m PACKAGE.train

On one GPU, where the full preset is the default, on your own data:

    python -m PACKAGE.train --data my-data/ --compile

On eight GPUs, with everything sharded over them:

    torchrun --nproc-per-node 8 -m PACKAGE.train --parallel fsdp

`--resume` continues the newest checkpoint of `--run-dir` exactly where it stopped. Columns of
`<run_dir>/log.csv`: step (steps done), loss (of the global batch), val_loss (on held-out data),
learning_rate, grad_norm (before clipping), and pace (samples a second over all processes; tokens
where a sample is a stretch of text).
"""

import math

import torch
from torch import nn

from .checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint
from .config import Config
from .data import Corpus, prepare
from .eval import score
from .flags import config_parser, read_config
from .logs import Log
from .optim import build_optimizer, learning_rate
from .parallel import Workers, build_parallel, join_workers, leave_workers, sync_gradients

COLUMNS = ("loss", "val_loss", "learning_rate", "grad_norm")  # of the log


def train(config: Config, resume: bool = False, stop_after: int | None = None) -> float:
    """Train to `config.steps`, or pause after step `stop_after`; return the last loss."""
    workers = join_workers(config)
    try:
        return run(config, workers, resume, stop_after)
    finally:
        leave_workers(workers)


def run(config: Config, workers: Workers, resume: bool, stop_after: int | None) -> float:
    """The training loop, in every process."""
    passes = passes_per_step(config, workers)
    if workers.first:
        prepare(config)
    workers.wait()
    corpus = Corpus(config)
    model, loss_of = build_parallel(config, workers)
    optimizer = build_optimizer(model, config)
    done, loss = 0, math.nan
    if resume:
        done = load_checkpoint(latest_checkpoint(config.run_dir), model, optimizer, workers)
    end = min(config.steps, stop_after or config.steps)

    with Log(config, COLUMNS, done, enabled=workers.first) as log:
        for step in range(done, end):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, config)

            total = torch.zeros((), device=workers.device)
            for i in range(passes):
                first = (i * workers.world + workers.rank) * config.micro_batch
                batch = corpus.train_batch(step, range(first, first + config.micro_batch))
                sync_gradients(loss_of, workers, i == passes - 1)
                with workers.autocast():
                    part = loss_of(workers.move(batch)) / passes
                part.backward()
                total += part.detach()

            loss = workers.mean(total).item()
            if not math.isfinite(loss):
                raise FloatingPointError(f"the loss of step {step} is {loss}; nothing was updated")
            norm = nn.utils.clip_grad_norm_(model.parameters(), config.grad_clip or math.inf)
            optimizer.step()
            optimizer.zero_grad()

            done = step + 1
            val_loss = None
            if done % config.eval_interval == 0 or done == config.steps:
                val_loss = score(model, corpus, workers, config.eval_samples).loss
            if val_loss is not None or done % config.log_interval == 0 or done == end:
                log.write(done, loss, val_loss, learning_rate(step, config), float(norm))
            if done % config.checkpoint_interval == 0 or done == end:
                save_checkpoint(config, model, optimizer, done, workers)
    return loss


def passes_per_step(config: Config, workers: Workers) -> int:
    """Micro-batches that each process accumulates to make up the global batch."""
    passes, left_over = divmod(config.global_batch, config.micro_batch * workers.world)
    if left_over:
        raise ValueError(
            f"--global-batch {config.global_batch} is not a multiple of --micro-batch "
            f"{config.micro_batch} x {workers.world} processes"
        )
    assert passes * workers.world * config.micro_batch == config.global_batch
    return passes


def main() -> None:
    """Read the flags and train."""
    parser = config_parser(__doc__)
    parser.add_argument("--resume", action="store_true", help="continue the newest checkpoint")
    args = parser.parse_args()
    try:
        train(read_config(args), args.resume)
    except (ValueError, FloatingPointError) as error:
        parser.exit(2, f"error: {error}\n")


if __name__ == "__main__":
    main()
