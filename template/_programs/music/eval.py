"""Evaluate a trained model on held-out sounds, beside what takes no model.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. Loss is in nats per code; the unigram draws each code by its frequency in
training. The log-spectral distance is that of a drawn sound to the one its prompt belongs to; the
codec's is what is lost between sound and codes, and a training sound is picked blindly.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor, nn

from .checkpoint import load_model
from .config import Config
from .data import Corpus, clip_samples, fit, load_sound, prepare
from .measures import log_spectrum, spectral_distance
from .parallel import Workers, join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser

WINDOW = 256  # samples of a spectrum
DRAWN = 48  # held-out prompts that sounds are drawn for
COUNTED = 256  # training clips that the unigram counts
TOP_K = 250  # codes that may be drawn, the likeliest first


@dataclass(frozen=True)
class Score:
    """Total negative log-likelihood, in nats, of some codes."""

    nats: float
    codes: int

    @property
    def loss(self) -> float:
        """Nats per code."""
        return self.nats / self.codes


@torch.no_grad()
def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out clips, in every process the same."""
    was_training = model.training
    model.eval()
    nats, codes = 0.0, 0
    config = corpus.config
    for batch in corpus.val_batches(config.micro_batch, limit):
        with workers.autocast():
            loss = model.loss(workers.move(batch))
        count = len(batch["waveform"]) * config.frames * config.n_codebooks
        nats, codes = nats + loss.item() * count, codes + count
    model.train(was_training)
    return Score(nats, codes)


@torch.no_grad()
def unigram_score(model: nn.Module, corpus: Corpus, workers: Workers) -> Score:
    """The same for codes drawn independently with their frequency in training sounds."""
    config = corpus.config
    counts = torch.ones(config.n_codebooks, config.codebook_size)  # none is impossible
    clips = corpus.train[:COUNTED]
    for first in range(0, len(clips), config.micro_batch):
        batch = corpus.stack((clip, 0.0) for clip in clips[first : first + config.micro_batch])
        for q, codes in enumerate(model.codec.encode(workers.move(batch)["waveform"]).unbind(1)):
            counts[q] += torch.bincount(codes.flatten().cpu(), minlength=config.codebook_size)
    surprise = -(counts / counts.sum(dim=1, keepdim=True)).log()  # (Q, C) nats
    nats, total = 0.0, 0
    for batch in corpus.val_batches(config.micro_batch):
        codes = model.codec.encode(workers.move(batch)["waveform"]).cpu()  # (B, Q, T)
        nats += sum(surprise[q][c].sum().item() for q, c in enumerate(codes.unbind(1)))
        total += codes.numel()
    return Score(nats, total)


@torch.inference_mode()
def distances(model: nn.Module, corpus: Corpus, workers: Workers) -> dict[str, float]:
    """Mean log-spectral distances in decibels to held-out sounds: drawn, decoded, picked."""
    config, found = corpus.config, {"drawn": [], "codec": [], "picked": []}
    generator = torch.Generator(workers.device).manual_seed(config.seed)
    blind = picked(corpus)
    for batch in corpus.val_batches(config.micro_batch, DRAWN):
        batch = workers.move(batch)
        wanted = batch.pop("waveform")  # (B, 1, N)
        sounds = {
            "drawn": draw(model, batch, wanted, config, generator),
            "codec": model.codec.decode(model.codec.encode(wanted)),
            "picked": torch.stack([next(blind) for _ in wanted])[:, None].to(workers.device),
        }
        truth = log_spectrum(wanted[:, 0], WINDOW)
        for name, sound in sounds.items():
            found[name].append(spectral_distance(log_spectrum(sound[:, 0], WINDOW), truth))
    return {name: torch.cat(values).mean().item() for name, values in found.items()}


def draw(
    model: nn.Module,
    batch: dict[str, Tensor],
    wanted: Tensor,
    config: Config,
    generator: torch.Generator,
) -> Tensor:
    """Sounds for the prompts of held-out clips, or for how those begin, (B, 1, N)."""
    if not config.conditioned:
        batch = {"opening": wanted[..., : wanted.size(-1) // 4]}
    return model.generate(batch, config.frames, top_k=TOP_K, generator=generator)


def picked(corpus: Corpus) -> Iterator[Tensor]:
    """Training clips, one after the other, for nobody's prompt."""
    config, rng = corpus.config, Random(f"{corpus.config.seed}/picked")
    samples = clip_samples(config)
    while True:
        yield fit(load_sound(rng.choice(corpus.train)["sound"], config), 0.0, samples)


def evaluate(run_dir: str, device: str = "auto") -> Table:
    """Score the newest checkpoint of a run on its held-out sounds."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    found, unigram = score(model, corpus, workers), unigram_score(model, corpus, workers)
    far = distances(model, corpus, workers)
    leave_workers(workers)
    rows = (
        ("this model", found.loss, far["drawn"]),
        ("unigram of codes", unigram.loss, None),
        ("a training sound", None, far["picked"]),
        ("codec alone", None, far["codec"]),
    )
    return Table(
        title="Held-out evaluation",
        context=f"{run_dir} after {steps:,} steps, {len(corpus.val):,} sounds",
        columns=("predictor", "loss (nats/code)", "log-spectral distance (dB)"),
        rows=rows,
        figures={
            "steps": steps,
            "sounds": len(corpus.val),
            "loss": found.loss,
            "unigram_loss": unigram.loss,
            "distance_db": far["drawn"],
            "trivial_distance_db": far["picked"],
            "codec_distance_db": far["codec"],
        },
    )


def main() -> None:
    """Read the flags, evaluate, print and save."""
    evaluate_run(evaluate, run_parser(__doc__))


if __name__ == "__main__":
    main()
