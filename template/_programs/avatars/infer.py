"""Make streams of frames and sound, with a trained model.

    python -m PACKAGE.infer --text "a red face speaks low" --chunks 8

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes a GIF and a
WAV for each stream to `results/streams/`, and `results/streams.png`, a contact sheet of frames and
waveforms. `--text`, which may be repeated, says who should speak; without it, held-out takes
say it. Streams may last longer than what training showed. Before any training the untrained tiny
model answers.
"""

import argparse

import torch
from torch import Tensor

from .config import Config
from .data import Corpus, prepare
from .diffusion import SAMPLERS
from .results import RESULTS
from .runs import load_run, run_parser
from .samples import contact_sheet, generate, write_animation
from .wav import write_wav


def wanted(args: argparse.Namespace, config: Config) -> tuple[list[str], Tensor]:
    """Texts of the streams, and a picture of each speaker, (N, P, Y, X)."""
    corpus = Corpus(config)
    takes = corpus.val[: args.samples]
    if args.text:
        named = [next((t for t in corpus.val if t.text == text), takes[0]) for text in args.text]
        texts, takes = args.text, named
    else:
        texts = [take.text for take in takes]
    shown = corpus.stack([(take, 0.0) for take in takes], [{}] * len(takes))["video"][:, 0]
    if config.reads_image:
        if args.input is not None:
            from .starts import read_picture

            shown = read_picture(args.input, config).expand(len(texts), -1, -1, -1)
    return texts, shown


@torch.inference_mode()
def make_streams(args: argparse.Namespace) -> tuple[Config, list[str], Tensor, Tensor, str]:
    """The configuration, the texts, frames and sound, and a line on where they come from."""
    config, model, _, origin = load_run(args)
    prepare(config)
    texts, shown = wanted(args, config)
    options = (args.seed, args.chunks, args.steps, args.guidance, args.sampler)
    return config, texts, *generate(model, config, texts, shown, *options), origin


def read_flags(config: type[Config]) -> argparse.ArgumentParser:
    """The flags of a model with this configuration."""
    parser = run_parser(__doc__)
    steps = f"denoising steps (full preset: {config.sampling_steps})"
    scale = f"guidance scale, 1 for none (full preset: {config.guidance_scale:g})"
    parser.add_argument("--text", action="append", help="a prompt; may be repeated")
    if config.reads_image:
        from pathlib import Path

        parser.add_argument("--input", type=Path, help="a picture of the speaker")
    parser.add_argument("--samples", type=int, default=4, help="streams to make of held-out takes")
    parser.add_argument("--chunks", type=int, help="chunks of a stream (default: as in training)")
    parser.add_argument("--steps", type=int, help=steps)
    parser.add_argument("--guidance", type=float, help=scale)
    parser.add_argument("--sampler", choices=SAMPLERS, default="ddim", help="how to denoise")
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise")
    return parser


def main() -> None:
    """Read the flags, make streams, print and save."""
    parser = read_flags(Config)
    try:
        config, texts, frames, sound, origin = make_streams(parser.parse_args())
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    folder = RESULTS / "streams"
    folder.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(texts):
        path = folder / f"{number:02d}.gif"
        write_animation(path, frames[number], config.fps)
        write_wav(path.with_suffix(".wav"), sound[number], config.sample_rate)
        print(f"{path} and .wav: {text}")
    contact_sheet(frames, sound, texts).save(RESULTS / "streams.png")
    print(f"[{origin}]\nwrote {len(texts)} streams to {folder} and {RESULTS / 'streams.png'}")


if __name__ == "__main__":
    main()
