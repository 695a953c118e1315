"""Sample text from a trained model.

    python -m PACKAGE.infer --prompt "The captain"

Reads the newest checkpoint of `--run-dir` (default: of the run saved last), prints the text and
writes it to `results/sample.txt`. Before any training it samples the untrained tiny model.
"""

import argparse

import torch

from .data import load_tokenizer
from .results import RESULTS
from .runs import load_run, run_parser


def sample_text(args: argparse.Namespace) -> tuple[str, str]:
    """A continuation of the prompt, and a line on where it comes from."""
    config, model, device, origin = load_run(args)
    if device.type == "cuda":
        model = model.bfloat16()
    tokenizer = load_tokenizer(config)
    prompt = [tokenizer.end, *tokenizer.encode(args.prompt)]
    tokens = model.generate(
        torch.tensor([prompt], device=device),
        args.max_new_tokens,
        args.temperature,
        args.top_k,
        args.top_p,
        torch.Generator(device).manual_seed(args.seed),
    )
    return tokenizer.decode(tokens[0].tolist()), f"{origin}, seed {args.seed}"


def main() -> None:
    """Read the flags, sample, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--prompt", default="", help="text to continue; none starts a document")
    parser.add_argument("--max-new-tokens", type=int, default=200, help="tokens to add")
    parser.add_argument("--temperature", type=float, default=0.8, help="0 takes the likeliest")
    parser.add_argument("--top-k", type=int, help="choose among the k likeliest tokens")
    parser.add_argument("--top-p", type=float, help="choose among the likeliest with mass p")
    parser.add_argument("--seed", type=int, default=0, help="seed of the choices")
    try:
        text, origin = sample_text(parser.parse_args())
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "sample.txt"
    path.write_text(f"[{origin}]\n\n{text}\n", encoding="utf-8")
    print(f"{text}\n\n[{origin}]\nwrote {path}")


if __name__ == "__main__":
    main()
