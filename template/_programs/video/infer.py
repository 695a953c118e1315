"""Watch clips and name what happens.

    python -m PACKAGE.infer --input clips/

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/predictions.csv` with the likeliest class of each clip, and `results/watched.gif`, the
first of them with its answer. `--input` is a clip (a folder of pictures, a GIF or a .npy file) or a
folder of clips; without it, held-out clips are named. Before any training the untrained tiny model
answers.
"""

import argparse
from pathlib import Path

import torch

from .classes import read_class_names
from .clips import clip_paths, read_clip, write_gif
from .config import Config
from .data import INPUT, Clip, Corpus, collate
from .results import RESULTS, save_rows
from .runs import load_run, run_parser
from .synthetic import class_names


def clips_to_name(args: argparse.Namespace, config: Config) -> tuple[list[Clip], bool]:
    """The clips that `--input` names, or held-out ones; and whether their labels are known."""
    if args.input is None:
        return Corpus(config).val[: args.limit], True
    if not args.input.exists():
        raise ValueError(f'--input "{args.input}": no clip there')
    paths = (clip_paths(args.input) if args.input.is_dir() else []) or [args.input]
    return [Clip(str(p), 0, lambda p=p: read_clip(p, config)) for p in paths[: args.limit]], False


@torch.inference_mode()
def name_clips(args: argparse.Namespace) -> list[dict[str, str]]:
    """A row for each clip; writes the first one as an animation."""
    config, model, device, origin = load_run(args)
    print(f"[{origin}]")
    classes = read_class_names(config, class_names(config.num_classes))
    clips, labelled = clips_to_name(args, config)
    rows = []
    for clip in clips:
        video = collate([(clip, 0.0)], config)[INPUT]  # (1, Z, C, Y, X)
        probabilities = model(video.to(device))[0, : len(classes)].softmax(dim=-1)  # (V,)
        best = int(probabilities.argmax())
        row = {"clip": clip.name, "predicted": classes[best]}
        row["probability"] = f"{probabilities[best]:.4f}"
        if labelled:
            row["label"] = classes[clip.label]
        if not rows:
            RESULTS.mkdir(exist_ok=True)
            write_gif(RESULTS / "watched.gif", video[0], classes[best])
        rows.append(row)
    return rows


def main() -> None:
    """Read the flags, watch, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--input", type=Path, help="a clip or a folder of clips")
    parser.add_argument("--limit", type=int, default=20, help="at most so many clips")
    try:
        rows = name_clips(parser.parse_args())
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    path = save_rows("predictions", rows)
    for row in rows:
        truth = f", labelled {row['label']}" if "label" in row else ""
        print(f"{row['clip']}: {row['predicted']} ({row['probability']}){truth}")
    print(f"wrote {path} and {RESULTS / 'watched.gif'}")


if __name__ == "__main__":
    main()
