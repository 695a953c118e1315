"""Turn sounds into codes and back.

    python -m PACKAGE.infer --input sound.wav

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/codes.npy` (codebooks, frames), `results/restored.wav` with what the codes alone restore,
`results/original.wav` with what was heard, and `results/spectrogram.png` with the original above
and the restored sound below. Without `--input` some held-out sounds follow each other. Before any
training the untrained tiny model answers.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .config import Config
from .data import Corpus, fit, mix, read_sound
from .eval import bitrate
from .measures import FLOOR, log_spectrum, signal_to_noise, spectral_distance
from .results import RESULTS
from .runs import load_run, run_parser
from .wav import write_spectrogram, write_wav

COLUMNS = 800  # of the picture, at most


def sound_to_code(args: argparse.Namespace, config: Config) -> Tensor:
    """What `--input` holds, or held-out sounds one after another, (C, N)."""
    samples = int(args.seconds * config.sample_rate)
    if args.input is None:
        clips = Corpus(config).val[: args.limit]
        sound = torch.cat([fit(clip.read(), 0.5, config) for clip in clips], dim=1)
    elif args.input.is_file():
        sound = mix(read_sound(args.input, config), config)
    else:
        raise ValueError(f'--input "{args.input}": no WAV file there')
    return sound[:, :samples].float()


@torch.inference_mode()
def restore(args: argparse.Namespace) -> list[str]:
    """Code and decode a sound, write what became of it, and return lines that say so."""
    config, model, device, origin = load_run(args)
    sound = sound_to_code(args, config)[None]  # (1, C, N)
    codes = model.encode(sound.to(device))  # (1, Q, T)
    restored = model.decode(codes, model.level(sound.to(device)))[..., : sound.size(-1)].cpu()
    RESULTS.mkdir(exist_ok=True)
    np.save(RESULTS / "codes.npy", codes[0].cpu().numpy().astype(np.int32))
    write_wav(RESULTS / "original.wav", sound[0], config.sample_rate)
    write_wav(RESULTS / "restored.wav", restored[0], config.sample_rate)
    write_spectrogram(RESULTS / "spectrogram.png", picture(sound[0, 0], restored[0, 0]), 2)
    seconds = sound.size(-1) / config.sample_rate
    distance = spectral_distance(restored, sound).item()
    ratio = signal_to_noise(restored, sound).item()
    return [
        f"[{origin}]",
        f"{seconds:.2f} s of sound in {codes[0].numel():,} codes, {bitrate(config):,.0f} bits/s",
        f"log-spectral distance {distance:.2f} dB, signal-to-noise ratio {ratio:.2f} dB",
    ]


def picture(original: Tensor, restored: Tensor) -> Tensor:
    """Two spectrograms, the first above the second, with a line between them, (rows, columns)."""
    below, above = (log_spectrum(wave)[..., :COLUMNS] for wave in (restored, original))
    line = torch.full((3, above.size(1)), 20 * torch.tensor(FLOOR).log10().item())
    line[1] = max(above.max(), below.max())
    return torch.cat((below, line, above))


def main() -> None:
    """Read the flags, code, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--input", type=Path, help="a WAV file")
    parser.add_argument("--limit", type=int, default=12, help="held-out sounds without --input")
    parser.add_argument("--seconds", type=float, default=30.0, help="at most so much sound")
    try:
        lines = restore(parser.parse_args())
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    print("\n".join(lines))
    names = ("codes.npy", "original.wav", "restored.wav", "spectrogram.png")
    print(f"wrote {', '.join(str(RESULTS / name) for name in names)}")


if __name__ == "__main__":
    main()
