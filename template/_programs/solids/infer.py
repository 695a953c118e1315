"""Make shapes, with a trained model.

    python -m PACKAGE.infer --samples 8 --steps 20

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes every shape
to `results/shapes/` (meshes as OBJ, points as PLY) with its rendering as PNG, and
`results/shapes.png`, a contact sheet of them from several sides. What is wanted is said by the
flags; without them, by held-out shapes. Before any training the untrained tiny model answers.
"""

import argparse

from PIL import Image
from torch import Tensor

from . import sources
from .config import Config
from .data import Corpus, prepare
from .diffusion import SAMPLERS
from .forms import views, write
from .rendering import contact_sheet
from .results import RESULTS
from .runs import load_run, run_parser
from .samples import generate

SIDE = 128  # pixels of a view on the contact sheet
LARGE = 384  # pixels of a rendering of its own


def wanted(args: argparse.Namespace, corpus: Corpus) -> list[sources.Source]:
    """What the shapes should be: what flags say of held-out ones, or those as they are."""
    asked = [corpus.val[i % len(corpus.val)] for i in range(args.samples)]
    if corpus.config.reads_image:
        if args.input is not None:
            from .looks import pictured

            given = pictured(args.input, asked[0].text, asked[0].label)
            asked = [given[i % len(given)] for i in range(max(len(given), args.samples))]
    if corpus.config.reads_text:
        if args.text:
            count = max(len(args.text), len(asked))
            texts = [args.text[i % len(args.text)] for i in range(count)]
            shown = [asked[i % len(asked)] for i in range(count)]
            asked = [sources.retold(s, text=text) for s, text in zip(shown, texts, strict=True)]
    if corpus.config.labelled:
        if args.label:
            if args.label not in corpus.names:
                known = ", ".join(corpus.names)
                raise ValueError(f'--label "{args.label}" is not a class; there are {known}')
            asked = [sources.retold(source, label=args.label) for source in asked]
    return asked


def make_shapes(args: argparse.Namespace) -> tuple[list[sources.Source], Tensor, str]:
    """What was wanted, the shapes, and a line on where they come from."""
    config, model, _, origin = load_run(args)
    prepare(config)
    corpus = Corpus(config)
    asked = wanted(args, corpus)
    forms = generate(model, corpus, asked, args.seed, args.steps, args.guidance, args.sampler)
    return asked, forms, origin


def read_flags(config: type[Config]) -> argparse.ArgumentParser:
    """The flags of a model with this configuration."""
    parser = run_parser(__doc__)
    if config.reads_text:
        parser.add_argument("--text", action="append", help="a prompt; may be repeated")
    if config.reads_image:
        from pathlib import Path

        parser.add_argument("--input", type=Path, help="a picture of a shape, or a folder of them")
    if config.labelled:
        parser.add_argument("--label", help="the class of the shapes")
    steps = f"denoising steps (full preset: {config.sampling_steps})"
    scale = f"guidance scale, 1 for none (full preset: {config.guidance_scale:g})"
    parser.add_argument("--samples", type=int, default=12, help="shapes to make")
    parser.add_argument("--steps", type=int, help=steps)
    parser.add_argument("--guidance", type=float, help=scale)
    parser.add_argument("--sampler", choices=SAMPLERS, default="ddim", help="how to denoise")
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise")
    return parser


def main() -> None:
    """Read the flags, make shapes, print and save."""
    parser = read_flags(Config)
    args = parser.parse_args()
    try:
        if args.samples < 1:
            raise ValueError(f"--samples is {args.samples}; it must be at least 1")
        asked, forms, origin = make_shapes(args)
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    folder = RESULTS / "shapes"
    folder.mkdir(parents=True, exist_ok=True)
    names = [source.text or source.label or source.name for source in asked]
    for number, (name, form) in enumerate(zip(names, forms, strict=True)):
        path = write(form, folder / f"{number:02d}")
        Image.fromarray(views(form, LARGE)[0]).save(path.with_suffix(".png"))
        print(f"{path}: {name}")
    contact_sheet([views(form, SIDE) for form in forms], names).save(RESULTS / "shapes.png")
    print(f"[{origin}]\nwrote {len(forms)} shapes to {folder} and {RESULTS / 'shapes.png'}")


if __name__ == "__main__":
    main()
