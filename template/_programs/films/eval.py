"""Evaluate a trained model on held-out clips, beside predicting nothing and showing noise.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. The loss is the mean squared error of the denoiser, each held-out clip with
noise and a time of its own; predicting zero is the trivial answer. Then clips are made for held-out
prompts, and compared with the held-out clips: sliced distances of frames, and of their differences
from one to the next. Noise in the place of the clips is the trivial sample.
"""

import torch

from .checkpoint import load_model
from .config import Config
from .data import Corpus, prepare
from .distance import clip_distances
from .losses import score, score_of_zero
from .parallel import join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser
from .samples import generate

MADE = 48  # clips that are made and compared


def evaluate(run_dir: str, device: str = "auto", made: int = MADE) -> Table:
    """Score the newest checkpoint of a run on all of its held-out clips."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    found = score(model, corpus, workers)
    zero = score_of_zero(model, corpus, workers, "video")
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
