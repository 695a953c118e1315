"""Evaluate a trained model on held-out clips, beside predicting nothing and showing noise.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. The loss is the mean squared error of the denoiser, each held-out clip with
noise and a time of its own; predicting zero is the trivial answer. Then clips are made for held-out
prompts, and compared with the held-out clips: sliced distances of frames, and of their differences
from one to the next. Noise in the place of the clips is the trivial sample.
"""

import torch
from torch import Tensor, nn

from .checkpoint import load_model
from .config import Config
from .data import Corpus, prepare
from .diffusion import denoising_loss
from .distance import clip_distances
from .losses import Score, mean_loss, score
from .parallel import Workers, join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser
from .samples import generate

MADE = 48  # clips that are made and compared


def zero_score(model: nn.Module, corpus: Corpus, workers: Workers) -> Score:
    """The same for a denoiser that answers zero."""

    def loss_of(batch: dict[str, Tensor]) -> Tensor:
        batch = workers.move(batch)
        clean, noise = model.encode(batch["video"]), batch["noise"]
        zero = torch.zeros_like(noise)
        return denoising_loss(corpus.config, lambda *_: zero, clean, noise, batch["quantiles"])

    return mean_loss(loss_of, corpus)


def evaluate(run_dir: str, device: str = "auto", made: int = MADE) -> Table:
    """Score the newest checkpoint of a run on all of its held-out clips."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    found, zero = score(model, corpus, workers), zero_score(model, corpus, workers)
    films = corpus.val[:made]
    real = corpus.stack([(film, 0.0) for film in films], [{}] * len(films))["video"]
    clips = generate(model, config, films, real, seed=config.seed)
    generator = torch.Generator().manual_seed(config.seed)
    noise = torch.randn(real.shape, generator=generator).clamp(-1, 1)
    leave_workers(workers)
    frames, motion = clip_distances(clips, real)
    noise_frames, noise_motion = clip_distances(noise, real)
    return Table(
        title="Held-out evaluation",
        context=f"{run_dir} after {steps:,} steps, {found.samples:,} clips, {len(films)} made",
        columns=("predictor", "denoising loss", "distance of frames", "distance of motion"),
        rows=(
            ("this model", found.loss, frames, motion),
            ("zero; noise", zero.loss, noise_frames, noise_motion),
        ),
        figures={
            "steps": steps,
            "clips": found.samples,
            "loss": found.loss,
            "zero_loss": zero.loss,
            "frame_distance": frames,
            "noise_frame_distance": noise_frames,
            "motion_distance": motion,
            "noise_motion_distance": noise_motion,
        },
    )


def main() -> None:
    """Read the flags, evaluate, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--made", type=int, default=MADE, help="clips to make and compare")
    evaluate_run(evaluate, parser)


if __name__ == "__main__":
    main()
