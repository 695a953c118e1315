"""Make sounds with a trained model.

    python -m PACKAGE.infer --help

Reads the newest checkpoint of `--run-dir` (default: of the run saved last). Without wishes,
those of held-out sounds are taken. Writes `results/sample-<n>.wav`, a spectrogram of each as
`results/sample-<n>.png`, and `results/samples.csv` with what was asked for. Before any training
the untrained tiny model plays.
"""

import argparse

import torch

from . import making, wishes
from .data import Corpus, prepare
from .eval import WINDOW
from .measures import log_spectrum
from .results import RESULTS
from .runs import load_run, predict_run, run_parser
from .wav import write_spectrogram, write_wav


@torch.inference_mode()
def play(args: argparse.Namespace) -> list[dict[str, str]]:
    """Write the sounds and their spectrograms; a row for each."""
    config, model, device, origin = load_run(args)
    print(f"[{origin}]")
    prepare(config)
    batch, names = wishes.wishes(args, Corpus(config))
    batch = {name: tensor.to(device) for name, tensor in batch.items()}
    made = making.make(model, batch, args, config)[:, 0].cpu()  # (B, N)
    RESULTS.mkdir(exist_ok=True)
    pictures = log_spectrum(made, WINDOW)  # (B, bins, frames)
    rows = []
    for i, (sound, picture, name) in enumerate(zip(made, pictures, names, strict=True), 1):
        path = RESULTS / f"sample-{i}.wav"
        write_wav(path, sound, config.sample_rate)
        write_spectrogram(path.with_suffix(".png"), picture, scale=3)
        seconds = f"{len(sound) / config.sample_rate:.2f}"
        rows.append({"file": path.name, "text": name, "seconds": seconds})
    return rows


def main() -> None:
    """Read the flags, play, print and save."""
    parser = run_parser(__doc__)
    wishes.add_flags(parser)
    parser.add_argument("--count", type=int, default=4, help="held-out sounds without wishes")
    making.add_flags(parser)
    predict_run(play, parser, "samples")


if __name__ == "__main__":
    main()
