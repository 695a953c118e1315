"""Evaluate a trained model on held-out clips, beside predicting nothing and showing noise.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. The loss is the mean squared error of the denoiser, each held-out clip with
noise and a time of its own; predicting zero is the trivial answer. Then clips are made for held-out
prompts, and compared with the held-out clips: sliced distances of frames, and of their differences
from one to the next. Noise in the place of the clips is the trivial sample.
"""

import argparse
from dataclasses import dataclass

import torch
from torch import nn

from .checkpoint import load_model, newest_run
from .config import Config
from .data import Corpus, prepare
from .diffusion import denoising_loss
from .distance import clip_distances
from .parallel import Workers, join_workers, leave_workers
from .results import Table
from .samples import generate

MADE = 48  # clips that are made and compared


@dataclass(frozen=True)
class Score:
    """Squared errors over some clips."""

    squares: float
    clips: int

    @property
    def loss(self) -> float:
        """Mean squared error."""
        return self.squares / self.clips


@torch.no_grad()
def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out clips, in every process the same."""
    squares, clips = 0.0, 0
    training = model.training
    model.eval()
    for batch in corpus.val_batches(corpus.config.micro_batch, limit):
        count = len(batch["video"])
        with workers.autocast():
            squares += model.loss(workers.move(batch)).item() * count
        clips += count
    model.train(training)
    return Score(squares, clips)


@torch.no_grad()
def zero_score(model: nn.Module, corpus: Corpus, limit: int | None = None) -> Score:
    """The same for a denoiser that answers zero."""
    device, squares, clips = next(model.parameters()).device, 0.0, 0
    for batch in corpus.val_batches(corpus.config.micro_batch, limit):
        clean = model.encode(batch["video"].to(device))
        noise, quantiles = batch["noise"].to(device), batch["quantiles"].to(device)
        loss = denoising_loss(
            corpus.config, lambda noisy, _: torch.zeros_like(noisy), clean, noise, quantiles
        )
        squares += loss.item() * len(clean)
        clips += len(clean)
    return Score(squares, clips)


def evaluate(run_dir: str, device: str = "auto", made: int = MADE) -> Table:
    """Score the newest checkpoint of a run on all of its held-out clips."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    found, zero = score(model, corpus, workers), zero_score(model, corpus)
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
        context=f"{run_dir} after {steps:,} steps, {found.clips:,} clips, {len(films)} made",
        columns=("predictor", "denoising loss", "distance of frames", "distance of motion"),
        rows=(
            ("this model", found.loss, frames, motion),
            ("zero; noise", zero.loss, noise_frames, noise_motion),
        ),
        figures={
            "steps": steps,
            "clips": found.clips,
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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run-dir", help="folder of the run (default: the one saved last)")
    parser.add_argument("--made", type=int, default=MADE, help="clips to make and compare")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    args = parser.parse_args()
    run_dir = args.run_dir or newest_run()
    if run_dir is None:
        parser.exit(2, "error: nothing to evaluate below runs/; train first\n")
    try:
        table = evaluate(str(run_dir), args.device, args.made)
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    print(table.plain())
    print(f"wrote {table.save('eval')}")


if __name__ == "__main__":
    main()
