"""Name clips.

    python -m PACKAGE.infer --input clips/

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/predictions.csv` with the likeliest class of each clip, and the first of them as the model
perceived it. `--input` is a clip (see `clips.py`) or a folder of them; without it, held-out clips
are named. Before any training the untrained tiny model answers.
"""

import argparse
from pathlib import Path

import torch

from .classes import read_class_names
from .clips import SHOWN, clips_at, read_clip, show
from .config import Config
from .data import INPUT, Clip, Corpus, collate
from .results import RESULTS
from .runs import load_run, predict_run, run_parser
from .synthetic import class_names


def clips_to_name(args: argparse.Namespace, config: Config) -> tuple[list[Clip], bool]:
    """The clips that `--input` names, or held-out ones; and whether their labels are known."""
    if args.input is None:
        return Corpus(config).val[: args.limit], True
    paths = [path for path in clips_at(args.input) if path.exists()]
    if not paths:
        raise ValueError(f'--input "{args.input}": no clip there')
    return [Clip(str(p), 0, lambda p=p: read_clip(p, config)) for p in paths[: args.limit]], False


@torch.inference_mode()
def name_clips(args: argparse.Namespace) -> list[dict[str, str]]:
    """A row for each clip; shows the first one."""
    config, model, device, origin = load_run(args)
    print(f"[{origin}]")
    classes = read_class_names(config, class_names(config.num_classes))
    clips, labelled = clips_to_name(args, config)
    rows = []
    for clip in clips:
        batch = collate([(clip, 0.0)], config)[INPUT]
        probabilities = model(batch.to(device))[0, : len(classes)].softmax(dim=-1)  # (V,)
        best = int(probabilities.argmax())
        row = {"clip": clip.name, "predicted": classes[best]}
        row["probability"] = f"{probabilities[best]:.4f}"
        if labelled:
            row["label"] = classes[clip.label]
        if not rows:
            RESULTS.mkdir(exist_ok=True)
            show(batch[0], row["predicted"], config)
        rows.append(row)
    return rows


def main() -> None:
    """Read the flags, name, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--input", type=Path, help="a clip or a folder of clips")
    parser.add_argument("--limit", type=int, default=20, help="at most so many clips")
    predict_run(name_clips, parser, "predictions", *SHOWN)


if __name__ == "__main__":
    main()
