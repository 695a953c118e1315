"""Write down what a sound says.

    python -m PACKAGE.infer --input speech.wav

Reads the newest checkpoint of `--run-dir` (default: of the run saved last), prints the transcript
and writes it to `results/sample.txt`, and the sound as the model heard it to `results/heard.wav`.
Without `--input` it hears a held-out clip. Before any training it runs the untrained tiny model.
"""

import argparse
from pathlib import Path

import torch

from .data import Corpus, load_tokenizer, prepare, window
from .results import RESULTS
from .runs import load_run, run_parser
from .wav import read_wav, write_wav


def transcribe_one(args: argparse.Namespace) -> tuple[str, str]:
    """The lines to show, and one on where they come from; writes the sound."""
    config, model, device, origin = load_run(args)
    lines = []
    prepare(config)
    if args.input is None:
        clip = Corpus(config).val[0]
        sound = clip.read()
        lines += [f"heard     {clip.name}", f"said      {clip.text}"]
    else:
        sound = read_wav(args.input, config.sample_rate)
        lines += [f"heard     {args.input}"]
    source = window(sound, config)[None]  # (1, samples)
    RESULTS.mkdir(exist_ok=True)
    write_wav(RESULTS / "heard.wav", source[0], config.sample_rate)
    tokenizer = load_tokenizer(config)
    tokens = model.generate(
        source.to(device),
        torch.full((1, 1), tokenizer.end, device=device),
        tokenizer.end,
        min(args.max_new_tokens, config.context_length - 1),
        temperature=args.temperature,
        top_k=args.top_k,
        top_p=args.top_p,
        generator=torch.Generator(device).manual_seed(args.seed),
    )
    lines.append(f"written   {tokenizer.decode(tokens[0].tolist())}")
    return "\n".join(lines), f"{origin}, seed {args.seed}"


def main() -> None:
    """Read the flags, listen, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--input", type=Path, help="a WAV file; none hears a held-out clip")
    parser.add_argument("--max-new-tokens", type=int, default=200, help="longest transcript")
    parser.add_argument("--temperature", type=float, default=0.0, help="0 takes the likeliest")
    parser.add_argument("--top-k", type=int, help="choose among the k likeliest tokens")
    parser.add_argument("--top-p", type=float, help="choose among the likeliest with mass p")
    parser.add_argument("--seed", type=int, default=0, help="seed of the choices")
    try:
        text, origin = transcribe_one(parser.parse_args())
    except (ValueError, FileNotFoundError) as error:
        parser.exit(2, f"error: {error}\n")
    path = RESULTS / "sample.txt"
    path.write_text(f"[{origin}]\n\n{text}\n", encoding="utf-8")
    print(f"{text}\n\n[{origin}]\nwrote {path} and {RESULTS / 'heard.wav'}")


if __name__ == "__main__":
    main()
