"""Draw sounds from a trained model.

    python -m PACKAGE.infer --help

Reads the newest checkpoint of `--run-dir` (default: of the run saved last). Without wishes,
those of held-out sounds are taken. Writes `results/sample-<n>.wav`, a spectrogram of each as
`results/sample-<n>.png`, and `results/samples.csv` with what was asked for. Before any training
the untrained tiny model plays.
"""

import argparse

import torch

from . import wishes
from .data import Corpus, prepare
from .eval import TOP_K, WINDOW
from .measures import log_spectrum
from .results import RESULTS, save_rows
from .runs import load_run, run_parser
from .wav import write_spectrogram, write_wav


@torch.inference_mode()
def play(args: argparse.Namespace) -> tuple[list[dict[str, str]], str]:
    """Write the sounds; a row for each, and a line on where they come from."""
    config, model, device, origin = load_run(args)
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
    parser = run_parser(__doc__)
    wishes.add_flags(parser)
    parser.add_argument("--count", type=int, default=4, help="held-out sounds without wishes")
    parser.add_argument("--temperature", type=float, default=1.0, help="0 takes the likeliest")
    parser.add_argument("--top-k", type=int, default=TOP_K, help="codes that may be drawn")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draw")
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
