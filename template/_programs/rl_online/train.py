"""Train the agent by letting it act.

On a laptop, the tiny preset in the built-in environment:

    python -m PACKAGE.train

On one GPU, where the full preset is the default, in an environment of Gymnasium:

    python -m PACKAGE.train --env gymnasium:NAME

On eight GPUs, with everything sharded over them:

    torchrun --nproc-per-node 8 -m PACKAGE.train --parallel fsdp

A step of training acts `--global-batch` times in the environments and then learns (`learner.py`).
Every process acts in all of the environments and learns from its share of every batch.
`--resume` continues the newest checkpoint of `--run-dir` exactly where it stopped: environments and
experience are saved beside it. Columns of `<run_dir>/log.csv`: step (steps done), loss (mean over
the step's updates), episode_return (mean of the episodes that ended since the last line, in
training), mean_return (of whole held-out episodes, without chance), learning_rate, grad_norm
(before clipping, of the last update), and pace (environment steps a second).
"""

import math

from .checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint
from .config import Config
from .data import prepare
from .eval import score
from .experience import forget_older, load_experience, save_experience
from .flags import config_parser, read_config
from .learner import Learner
from .logs import Log
from .optim import build_optimizer, learning_rate
from .parallel import Workers, build_parallel, join_workers, leave_workers

COLUMNS = ("loss", "episode_return", "mean_return", "learning_rate", "grad_norm")  # of the log


def train(config: Config, resume: bool = False, stop_after: int | None = None) -> float:
    """Train to `config.steps`, or pause after step `stop_after`; return the last loss."""
    workers = join_workers(config)
    try:
        return run(config, workers, resume, stop_after)
    finally:
        leave_workers(workers)


def run(config: Config, workers: Workers, resume: bool, stop_after: int | None) -> float:
    """The training loop, in every process."""
    if workers.first:
        prepare(config)
    workers.wait()
    model, loss_of = build_parallel(config, workers)
    optimizer = build_optimizer(model, config)
    learner = Learner(config, model, loss_of, optimizer, workers)
    done, loss, ended = 0, math.nan, []
    if resume:
        done = load_checkpoint(latest_checkpoint(config.run_dir), model, optimizer, workers)
        learner.restore(load_experience(config.run_dir, done))
    end = min(config.steps, stop_after or config.steps)

    with Log(config, COLUMNS, done, enabled=workers.first) as log:
        for step in range(done, end):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, config)

            loss, norm, finished = learner.iterate(step)
            ended += finished

            done = step + 1
            mean_return = None
            if done % config.eval_interval == 0 or done == config.steps:
                mean_return = score(model, config, workers, config.eval_samples).mean_return
            if mean_return is not None or done % config.log_interval == 0 or done == end:
                episode_return = sum(ended) / len(ended) if ended else None
                rate = learning_rate(step, config)
                log.write(done, loss, episode_return, mean_return, rate, norm)
                ended = []
            if done % config.checkpoint_interval == 0 or done == end:
                save_experience(config.run_dir, done, learner.state(), workers)
                save_checkpoint(config, model, optimizer, done, workers)
                forget_older(config.run_dir, workers)
    return loss


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
