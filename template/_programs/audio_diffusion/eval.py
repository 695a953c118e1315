"""Evaluate a trained model on held-out sounds, beside what takes no model.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. The loss is the mean squared error of the denoiser, each held-out sound with
noise and a time of its own; predicting zero is the trivial answer. The log-spectral distance is
that of a made sound to the one its prompt, or its beginning, belongs to; the autoencoder's is what
is lost between sound and codes, and a training sound is picked blindly.
"""

from collections.abc import Iterator
from random import Random

import torch
from torch import Tensor, nn

from .checkpoint import load_model
from .config import Config
from .data import Corpus, clip_samples, fit, load_sound, prepare
from .losses import score, score_of_zero
from .measures import log_spectrum, spectral_distance
from .noise import starting_noise
from .parallel import Workers, join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser

WINDOW = 256  # samples of a spectrum
MADE = 48  # held-out sounds that others are made for


@torch.inference_mode()
def distances(
    model: nn.Module, corpus: Corpus, workers: Workers, made: int = MADE
) -> dict[str, float]:
    """Mean log-spectral distances in decibels to held-out sounds: made, decoded, picked."""
    config, found = corpus.config, {"made": [], "decoded": [], "picked": []}
    blind, noise = picked(corpus), starting_noise(config, config.seed, made)
    for batch in corpus.val_batches(config.micro_batch, made):
        batch = workers.move(batch)
        wanted, count = batch["waveform"], len(batch["waveform"])  # (B, 1, N)
        start, noise = noise[:count].to(workers.device), noise[count:]
        sounds = {
            "made": model.generate(batch, start, config.sampling_steps, config.guidance_scale),
            "decoded": model.decode(model.encode(wanted)),
            "picked": torch.stack([next(blind) for _ in wanted])[:, None].to(workers.device),
        }
        truth = log_spectrum(wanted[:, 0], WINDOW)
        for name, sound in sounds.items():
            found[name].append(spectral_distance(log_spectrum(sound[:, 0], WINDOW), truth))
    return {name: torch.cat(values).mean().item() for name, values in found.items()}


def picked(corpus: Corpus) -> Iterator[Tensor]:
    """Training sounds, one after the other, for nobody's prompt."""
    config, rng = corpus.config, Random(f"{corpus.config.seed}/picked")
    samples = clip_samples(config)
    while True:
        yield fit(load_sound(rng.choice(corpus.train)["sound"], config), 0.0, samples)


def evaluate(run_dir: str, device: str = "auto", made: int = MADE) -> Table:
    """Score the newest checkpoint of a run on its held-out sounds."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    found = score(model, corpus, workers)
    zero = score_of_zero(model, corpus, workers, "waveform")
    far = distances(model, corpus, workers, made)
    leave_workers(workers)
    return Table(
        title="Held-out evaluation",
        context=f"{run_dir} after {steps:,} steps, {found.samples:,} sounds",
        columns=("predictor", "denoising loss", "log-spectral distance (dB)"),
        rows=(
            ("this model", found.loss, far["made"]),
            ("zero", zero.loss, None),
            ("a training sound", None, far["picked"]),
            ("autoencoder alone", None, far["decoded"]),
        ),
        figures={
            "steps": steps,
            "sounds": found.samples,
            "loss": found.loss,
            "zero_loss": zero.loss,
            "distance_db": far["made"],
            "trivial_distance_db": far["picked"],
            "autoencoder_distance_db": far["decoded"],
        },
    )


def main() -> None:
    """Read the flags, evaluate, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--made", type=int, default=MADE, help="sounds to make and compare")
    evaluate_run(evaluate, parser)


if __name__ == "__main__":
    main()
