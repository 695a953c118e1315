"""Make clips, with a trained model.

    python -m PACKAGE.infer --samples 6 --steps 16

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes one GIF for
each clip to `results/clips/`, and `results/clips.png`, a contact sheet of their frames. What a clip
should show is `--text` (which may be repeated) where the model reads prompts, and `--input` where
it is given a beginning: a clip, a picture, or a folder of either. Without them, held-out clips say
it. Before any training the untrained tiny model answers.
"""

import argparse

import torch

from .clips import fit_clip
from .config import Config
from .data import Corpus, prepare
from .diffusion import SAMPLERS
from .results import RESULTS
from .runs import load_run, run_parser
from .samples import contact_sheet, generate, write_animation
from .sources import Film


def wanted(args: argparse.Namespace, config: Config) -> list[Film]:
    """What the clips should show: prompts, beginnings, or what held-out clips have."""
    films = Corpus(config).val[: args.samples]
    if config.conditioned:
        if args.input is not None:
            from .starts import started

            films = started(args.input, films[0].text, config)
    if config.reads_text:
        if args.text:
            shown = [films[i % len(films)] for i in range(max(len(args.text), args.samples))]
            texts = [args.text[i % len(args.text)] for i in range(len(shown))]
            pairs = zip(shown, texts, strict=True)
            films = [Film(film.name, text, film.read) for film, text in pairs]
    return films


@torch.inference_mode()
def make_clips(args: argparse.Namespace) -> tuple[Config, list[Film], torch.Tensor, str]:
    """The configuration, what was wanted, the clips, and a line on where they come from."""
    config, model, _, origin = load_run(args)
    prepare(config)
    films = wanted(args, config)
    clips = torch.stack([fit_clip(film.read(), 0.0, config) for film in films])
    options = (args.seed, args.steps, args.guidance, args.sampler)
    return config, films, generate(model, config, films, clips, *options), origin


def read_flags(config: type[Config]) -> argparse.ArgumentParser:
    """The flags of a model with this configuration."""
    parser = run_parser(__doc__)
    if config.reads_text:
        parser.add_argument("--text", action="append", help="a prompt; may be repeated")
    if config.conditioned:
        from pathlib import Path

        parser.add_argument("--input", type=Path, help="a picture, a clip, or a folder of either")
    steps = f"denoising steps (full preset: {config.sampling_steps})"
    scale = f"guidance scale, 1 for none (full preset: {config.guidance_scale:g})"
    parser.add_argument("--samples", type=int, default=6, help="clips to make of held-out data")
    parser.add_argument("--steps", type=int, help=steps)
    parser.add_argument("--guidance", type=float, help=scale)
    parser.add_argument("--sampler", choices=SAMPLERS, default="ddim", help="how to denoise")
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise")
    return parser


def main() -> None:
    """Read the flags, make clips, print and save."""
    parser = read_flags(Config)
    try:
        config, films, clips, origin = make_clips(parser.parse_args())
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    folder = RESULTS / "clips"
    folder.mkdir(parents=True, exist_ok=True)
    names = [film.text or film.name for film in films]
    for number, (name, clip) in enumerate(zip(names, clips, strict=True)):
        write_animation(folder / f"{number:02d}.gif", clip, config.fps)
        print(f"{folder / f'{number:02d}.gif'}: {name}")
    contact_sheet(clips, names).save(RESULTS / "clips.png")
    print(f"[{origin}]\nwrote {len(clips)} clips to {folder} and {RESULTS / 'clips.png'}")


if __name__ == "__main__":
    main()
