"""Listen to sounds and name them.

    python -m PACKAGE.infer --input sound.wav

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/predictions.csv` with the likeliest class of each sound, `results/heard.wav` with the
first of them as the model heard it, and `results/spectrogram.png` with what it saw of that.
`--input` is a WAV file or a folder of them; without it, held-out clips are named. Before any
training the untrained tiny model answers.
"""

import argparse
from pathlib import Path

import torch

from .classes import read_class_names
from .clips import clip_paths, read_clip
from .config import Config
from .data import INPUT, Clip, Corpus, collate
from .model import log_mel
from .results import RESULTS, save_rows
from .runs import load_run, run_parser
from .synthetic import class_names
from .wav import write_spectrogram, write_wav


def clips_to_name(args: argparse.Namespace, config: Config) -> tuple[list[Clip], bool]:
    """The sounds that `--input` names, or held-out ones; and whether their labels are known."""
    if args.input is None:
        return Corpus(config).val[: args.limit], True
    files = clip_paths(args.input) if args.input.is_dir() else [args.input]
    if not files or not files[0].is_file():
        raise ValueError(f'--input "{args.input}": no WAV file there')
    return [Clip(str(f), 0, lambda f=f: read_clip(f, config)) for f in files[: args.limit]], False


@torch.inference_mode()
def name_sounds(args: argparse.Namespace) -> list[dict[str, str]]:
    """A row for each sound; writes the first one and its spectrogram."""
    config, model, device, origin = load_run(args)
    print(f"[{origin}]")
    classes = read_class_names(config, class_names(config.num_classes))
    clips, labelled = clips_to_name(args, config)
    rows = []
    for clip in clips:
        waves = collate([(clip, 0.0)], config)[INPUT]  # (1, I)
        probabilities = model(waves.to(device))[0, : len(classes)].softmax(dim=-1)  # (V,)
        best = int(probabilities.argmax())
        row = {"sound": clip.name, "predicted": classes[best]}
        row["probability"] = f"{probabilities[best]:.4f}"
        if labelled:
            row["label"] = classes[clip.label]
        if not rows:
            RESULTS.mkdir(exist_ok=True)
            write_wav(RESULTS / "heard.wav", waves[0], config.sample_rate)
            write_spectrogram(RESULTS / "spectrogram.png", log_mel(waves, config)[0])
        rows.append(row)
    return rows


def main() -> None:
    """Read the flags, listen, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--input", type=Path, help="a WAV file or a folder of them")
    parser.add_argument("--limit", type=int, default=20, help="at most so many sounds")
    try:
        rows = name_sounds(parser.parse_args())
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    path = save_rows("predictions", rows)
    for row in rows:
        truth = f", labelled {row['label']}" if "label" in row else ""
        print(f"{row['sound']}: {row['predicted']} ({row['probability']}){truth}")
    print(f"wrote {path}, {RESULTS / 'heard.wav'} and {RESULTS / 'spectrogram.png'}")


if __name__ == "__main__":
    main()
