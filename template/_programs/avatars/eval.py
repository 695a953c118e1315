"""Evaluate a trained model on held-out takes, beside predicting nothing and showing noise.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. The loss is the mean squared error of the denoiser, each chunk of a held-out
take at a time of its own; predicting zero is the trivial answer. Then streams are made for held-out
prompts and pictures, chunk by chunk, and compared with the held-out takes: sliced distances of
frames and of their differences from one to the next, and in decibels how far their spectra are
from those of the takes. Noise in the place of both is the trivial sample. On built-in data, `lips`
is the correlation of how far mouths are open with how loud it is.
"""

import torch
from torch import Tensor, nn

from .checkpoint import load_model
from .config import Config
from .data import Corpus, prepare
from .distance import clip_distances
from .losses import Score, mean_loss, score
from .parallel import Workers, join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser
from .samples import generate
from .synthetic import mouth_opening

MADE = 32  # streams that are made and compared
WINDOW = 256  # samples of a Fourier window


def zero_score(model: nn.Module, corpus: Corpus, workers: Workers) -> Score:
    """The same for a denoiser that answers zero."""

    def loss_of(batch: dict[str, Tensor]) -> Tensor:
        batch = workers.move(batch)
        _, wanted = model.output(batch, model.encode(batch["video"], batch["sound"]))
        return model.errors(torch.zeros_like(wanted), wanted)

    return mean_loss(loss_of, corpus)


def spectral_distance(these: Tensor, those: Tensor) -> float:
    """Root mean squared difference of the mean power spectra of sounds, (N, samples), in dB."""
    ours, theirs = (10 * mean_power(part).clamp(min=1e-6).log10() for part in (these, those))
    return (ours - theirs).square().mean(dim=1).sqrt().mean().item()


def mean_power(sounds: Tensor) -> Tensor:
    """Power at every frequency, (N, samples) -> (N, bins)."""
    window = torch.hann_window(WINDOW)
    spectrum = torch.stft(
        sounds, WINDOW, WINDOW // 4, window=window, normalized=True, return_complex=True
    )
    return spectrum.abs().square().mean(dim=2)


def lip_sync(frames: Tensor, sound: Tensor) -> float:
    """Correlation of open mouths with loudness over all frames, between -1 and 1."""
    pieces = sound.unflatten(1, (frames.size(1), -1))  # (N, Z, samples of a frame)
    loudness = pieces.square().mean(dim=2).sqrt().flatten()
    return torch.corrcoef(torch.stack((mouth_opening(frames).flatten(), loudness)))[0, 1].item()


def evaluate(run_dir: str, device: str = "auto", made: int = MADE) -> Table:
    """Score the newest checkpoint of a run on all of its held-out takes."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    found, zero = score(model, corpus, workers), zero_score(model, corpus, workers)
    takes = corpus.val[:made]
    real = corpus.stack([(take, 0.0) for take in takes], [{}] * len(takes))
    texts = [take.text for take in takes]
    frames, sound = generate(model, config, texts, real["video"][:, 0], seed=config.seed)
    generator = torch.Generator().manual_seed(config.seed)
    noise = torch.randn(real["video"].shape, generator=generator).clamp(-1, 1)
    hiss = (torch.randn(real["sound"].shape, generator=generator) / 4).clamp(-1, 1)
    leave_workers(workers)
    rows, figures = [], {"steps": steps, "takes": found.samples}
    compared = (
        ("this model", "", found, frames, sound),
        ("zero; noise", "noise_", zero, noise, hiss),
    )
    for name, prefix, loss, seen, heard in compared:
        still, motion = clip_distances(seen, real["video"])
        spectral = spectral_distance(heard, real["sound"])
        lips = None if config.data else lip_sync(seen, heard)
        rows.append((name, loss.loss, still, motion, spectral, lips))
        figures |= {
            f"{prefix}frame_distance": still,
            f"{prefix}motion_distance": motion,
            f"{prefix}spectral_distance": spectral,
            f"{prefix}lip_sync": lips,
        }
    if not config.data:
        rows.append(("held-out takes", None, 0.0, 0.0, 0.0, lip_sync(real["video"], real["sound"])))
    return Table(
        title="Held-out evaluation",
        context=f"{run_dir} after {steps:,} steps, {found.samples:,} takes, {len(takes)} made",
        columns=(
            "predictor",
            "denoising loss",
            "distance of frames",
            "distance of motion",
            "log-spectral distance (dB)",
            "lips",
        ),
        rows=tuple(rows),
        figures=figures | {"loss": found.loss, "zero_loss": zero.loss},
    )


def main() -> None:
    """Read the flags, evaluate, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--made", type=int, default=MADE, help="streams to make and compare")
    evaluate_run(evaluate, parser)


if __name__ == "__main__":
    main()
