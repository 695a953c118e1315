"""Make sounds with a trained model.

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
from .diffusion import SAMPLERS
from .eval import WINDOW
from .measures import log_spectrum
from .model import build_model
from .noise import starting_noise
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
    batch, names = wishes.wishes(args, Corpus(config))
    batch = {name: tensor.to(device) for name, tensor in batch.items()}
    noise = starting_noise(config, args.seed, len(names)).to(device)
    steps = args.steps or config.sampling_steps
    scale = config.guidance_scale if args.guidance is None else args.guidance
    made = model.generate(batch, noise, steps, scale, args.sampler)[:, 0].cpu()  # (B, N)
    RESULTS.mkdir(exist_ok=True)
    pictures = log_spectrum(made, WINDOW)  # (B, bins, frames)
    rows = []
    for i, (sound, picture, name) in enumerate(zip(made, pictures, names, strict=True), 1):
        path = RESULTS / f"sample-{i}.wav"
        write_wav(path, sound, config.sample_rate)
        write_spectrogram(path.with_suffix(".png"), picture, scale=3)
        seconds = f"{len(sound) / config.sample_rate:.2f}"
        rows.append({"file": path.name, "text": name, "seconds": seconds})
    return rows, origin


def main() -> None:
    """Read the flags, play, print and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run-dir", type=Path, help="folder of the run")
    wishes.add_flags(parser, Config)
    steps = f"denoising steps (full preset: {Config.sampling_steps})"
    scale = f"guidance scale, 1 for none (full preset: {Config.guidance_scale:g})"
    parser.add_argument("--steps", type=int, help=steps)
    parser.add_argument("--guidance", type=float, help=scale)
    parser.add_argument("--sampler", choices=SAMPLERS, default="ddim", help="how to denoise")
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise")
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
