"""Evaluate a trained codec on held-out sounds, beside predictors that hear nothing.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. The loss compares waveforms and mel spectra as training does, without what
keeps frames near their codes; the log-spectral distance is in dB. Silence is the trivial predictor:
it is also the mean of all waveforms. Noise with the mean spectrum of the training sounds has the
right colour, and nothing else.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .checkpoint import load_model
from .config import Config
from .data import Corpus, prepare
from .measures import signal_to_noise, spectral_distance
from .model import reconstruction_loss
from .parallel import Workers, join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser

HEARD = 256  # training sounds whose mean spectrum colours the noise


@dataclass(frozen=True)
class Score:
    """Means over some sounds."""

    loss: float
    distance: float
    snr: float
    samples: int


@torch.no_grad()
def score_of(
    predict: Callable[[Tensor], Tensor], corpus: Corpus, workers: Workers, limit: int | None = None
) -> Score:
    """What `predict` makes of held-out waveforms (B, C, N), in every process the same."""
    sums, samples = torch.zeros(3), 0
    for batch in corpus.val_batches(corpus.config.micro_batch, limit):
        waveform = workers.move(batch)["waveform"]
        with workers.autocast():
            restored = predict(waveform).float()
        loss = reconstruction_loss(restored, waveform, corpus.config.sample_rate)
        sums[0] += loss.item() * len(waveform)
        sums[1] += spectral_distance(restored, waveform).sum().item()
        sums[2] += signal_to_noise(restored, waveform).sum().item()
        samples += len(waveform)
    return Score(*(sums / samples).tolist(), samples)


def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out sounds."""
    training = model.training
    model.eval()
    result = score_of(lambda waveform: model(waveform)[0], corpus, workers, limit)
    model.train(training)
    return result


def coloured_noise(corpus: Corpus) -> Callable[[Tensor], Tensor]:
    """A predictor: noise with the mean spectrum of the training sounds."""
    config, total, heard = corpus.config, 0.0, 0
    while heard < HEARD:
        rows = range(config.micro_batch)
        waveform = corpus.train_batch(heard // len(rows), rows)["waveform"]
        total = total + torch.fft.rfft(waveform).abs().square().sum(dim=0)  # (C, bins)
        heard += len(rows)
    spectrum = (total / heard).sqrt()
    generator = torch.Generator().manual_seed(config.seed)

    def predict(waveform: Tensor) -> Tensor:
        noise = torch.fft.rfft(torch.randn(waveform.shape, generator=generator))
        level = math.sqrt(waveform.size(-1))
        return torch.fft.irfft(noise / level * spectrum, waveform.size(-1)).to(waveform.device)

    return predict


def bitrate(config: Config) -> float:
    """Bits of codes for a second of sound."""
    frames = config.sample_rate / math.prod(config.ratios)
    return frames * config.n_codebooks * math.log2(config.codebook_size)


def evaluate(run_dir: str, device: str = "auto") -> Table:
    """Score the newest checkpoint of a run on all of its held-out sounds."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    scores = {
        "this model": score(model, corpus, workers),
        "silence": score_of(torch.zeros_like, corpus, workers),
        "noise with the mean spectrum": score_of(coloured_noise(corpus), corpus, workers),
    }
    leave_workers(workers)
    mine, silence, noise = scores.values()
    rate = bitrate(config)
    return Table(
        title="Held-out evaluation",
        context=f"{run_dir} after {steps:,} steps, {mine.samples:,} sounds, {rate:,.0f} bits/s",
        columns=("predictor", "loss", "log-spectral distance (dB)", "signal-to-noise ratio (dB)"),
        rows=tuple((n, s.loss, s.distance, s.snr) for n, s in scores.items()),
        figures={
            "steps": steps,
            "samples": mine.samples,
            "loss": mine.loss,
            "log_spectral_distance": mine.distance,
            "signal_to_noise": mine.snr,
            "silence_loss": silence.loss,
            "silence_distance": silence.distance,
            "noise_loss": noise.loss,
            "noise_distance": noise.distance,
            "bits_per_second": rate,
            "compression": 16 * config.sample_rate * config.audio_channels / rate,
        },
    )


def main() -> None:
    """Read the flags, evaluate, print and save."""
    evaluate_run(evaluate, run_parser(__doc__))


if __name__ == "__main__":
    main()
