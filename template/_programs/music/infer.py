"""Draw sounds from a trained model.

    python -m PACKAGE.infer --help

Reads the newest checkpoint of `--run-dir` (default: of the run saved last). Without wishes,
those of held-out sounds are taken. Writes `results/sample-<n>.wav`, a spectrogram of each as
`results/sample-<n>.png`, and `results/samples.csv` with what was asked for. Before any training
the untrained tiny model plays.
"""

import argparse
import csv
from pathlib import Path

import torch

from . import wishes
from .checkpoint import load_model, newest_run
from .config import Config
from .data import Corpus, prepare
from .eval import TOP_K, WINDOW
from .measures import log_spectrum
from .model import build_model
from .parallel import pick_device
from .results import RESULTS
from .wav import write_spectrogram, write_wav


@torch.inference_mode()
def play(args: argparse.Namespace) -> tuple[list[dict[str, str]], str]:
    """Write the sounds; a row for each, and a line on where they come from."""
    device = pick_device(args.device)
    run_dir = args.run_dir or newest_run()
    if run_dir is None:
        config = Config.tiny(run_dir="runs/untrained")
        model = build_model(config).to(device).eval()
        origin = "untrained tiny model (no run below runs/ yet; train first)"
    else:
        config, model, steps = load_model(run_dir, device)
        origin = f"{run_dir} after {steps:,} steps"
    prepare(config)
    batch, texts = wishes.wishes(args, Corpus(config))
    generator = torch.Generator(device).manual_seed(args.seed)
    if config.conditioned:
        model.config = wishes.guided(config, args)
    batch = {name: tensor.to(device) for name, tensor in batch.items()}
    made = model.generate(batch, config.frames, args.temperature, args.top_k, generator)
    made = made[:, 0].cpu()  # (B, N)
    RESULTS.mkdir(exist_ok=True)
    pictures = log_spectrum(made, WINDOW)  # (B, bins, frames)
    rows = []
    for i, (sound, picture, text) in enumerate(zip(made, pictures, texts, strict=True), 1):
        path = RESULTS / f"sample-{i}.wav"
        write_wav(path, sound, config.sample_rate)
        write_spectrogram(path.with_suffix(".png"), picture, scale=3)
        seconds = f"{len(sound) / config.sample_rate:.2f}"
        rows.append({"file": path.name, "text": text, "seconds": seconds})
    return rows, origin


def main() -> None:
    """Read the flags, play, print and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run-dir", type=Path, help="folder of the run")
    wishes.add_flags(parser)
    parser.add_argument("--count", type=int, default=4, help="held-out sounds without wishes")
    parser.add_argument("--temperature", type=float, default=1.0, help="0 takes the likeliest")
    parser.add_argument("--top-k", type=int, default=TOP_K, help="codes that may be drawn")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draw")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    try:
        rows, origin = play(parser.parse_args())
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    path = RESULTS / "samples.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, fieldnames=list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    for row in rows:
        print(f"{RESULTS / row['file']}  {row['seconds']} s  {row['text']}")
    print(f"[{origin}]\nwrote {path}, and a spectrogram beside every sound")


if __name__ == "__main__":
    main()
