"""Make sounds with a trained model.

    python -m PACKAGE.infer --help

Reads the newest checkpoint of `--run-dir` (default: of the run saved last). Without wishes,
those of held-out sounds are taken. Writes `results/sample-<n>.wav`, a spectrogram of each as
`results/sample-<n>.png`, and `results/samples.csv` with what was asked for. Before any training
the untrained tiny model plays.
"""

import argparse

import torch

from . import wishes
from .config import Config
from .data import Corpus, prepare
from .diffusion import SAMPLERS
from .eval import WINDOW
from .measures import log_spectrum
from .noise import starting_noise
from .results import RESULTS, save_rows
from .runs import load_run, run_parser
from .wav import write_spectrogram, write_wav


@torch.inference_mode()
def play(args: argparse.Namespace) -> tuple[list[dict[str, str]], str]:
    """Write the sounds; a row for each, and a line on where they come from."""
    config, model, device, origin = load_run(args)
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
    parser = run_parser(__doc__)
    wishes.add_flags(parser, Config)
    steps = f"denoising steps (full preset: {Config.sampling_steps})"
    scale = f"guidance scale, 1 for none (full preset: {Config.guidance_scale:g})"
    parser.add_argument("--steps", type=int, help=steps)
    parser.add_argument("--guidance", type=float, help=scale)
    parser.add_argument("--sampler", choices=SAMPLERS, default="ddim", help="how to denoise")
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise")
    try:
        rows, origin = play(parser.parse_args())
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    path = save_rows("samples", rows)
    for row in rows:
        print(f"{RESULTS / row['file']}  {row['seconds']} s  {row['text']}")
    print(f"[{origin}]\nwrote {path}, and a spectrogram beside every sound")


if __name__ == "__main__":
    main()
