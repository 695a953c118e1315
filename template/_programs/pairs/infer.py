"""Write the target of a text with a trained model.

    python -m PACKAGE.infer --source "mo ban ri"

Reads the newest checkpoint of `--run-dir` (default: of the run saved last), prints source and
output and writes them to `results/sample.txt`; without `--source` it takes held-out texts and
writes their references beside them. Before any training it runs the untrained tiny model.
"""

import argparse

import torch

from .data import Corpus, cut, load_tokenizer, prepare
from .results import RESULTS
from .runs import load_run, run_parser

SHOWN = 5  # held-out pairs, where no source is given


def write_samples(args: argparse.Namespace) -> tuple[list[dict[str, str]], str]:
    """Sources with their outputs (and references), and a line on where they come from."""
    config, model, device, origin = load_run(args)
    if device.type == "cuda":
        model = model.bfloat16()
    prepare(config)
    tokenizer = load_tokenizer(config)
    if args.source:
        samples = [{"source": args.source}]
    else:
        held_out = Corpus(config).val
        pairs = [held_out[row] for row in range(min(SHOWN, len(held_out)))]
        samples = [
            {"source": tokenizer.decode(s.tolist()), "reference": tokenizer.decode(t.tolist())}
            for s, t in pairs
        ]
    generator = torch.Generator(device).manual_seed(args.seed)
    for sample in samples:
        ids = torch.tensor(tokenizer.encode(sample["source"]), dtype=torch.long)
        source = cut(ids, config.context_length, tokenizer.end)[None].to(device)
        tokens = model.generate(
            source,
            torch.full((1, 1), tokenizer.end, device=device),
            tokenizer.end,
            min(args.max_new_tokens, config.context_length - 1),
            temperature=args.temperature,
            top_k=args.top_k,
            top_p=args.top_p,
            generator=generator,
        )
        sample["output"] = tokenizer.decode(tokens[0].tolist())
    return samples, f"{origin}, seed {args.seed}"


def main() -> None:
    """Read the flags, write, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--source", default="", help="text to read; none takes held-out ones")
    parser.add_argument("--max-new-tokens", type=int, default=200, help="longest output, in tokens")
    parser.add_argument("--temperature", type=float, default=0.0, help="0 takes the likeliest")
    parser.add_argument("--top-k", type=int, help="choose among the k likeliest tokens")
    parser.add_argument("--top-p", type=float, help="choose among the likeliest with mass p")
    parser.add_argument("--seed", type=int, default=0, help="seed of the choices")
    try:
        samples, origin = write_samples(parser.parse_args())
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    blocks = ["\n".join(f"{k:<10}{text}" for k, text in sample.items()) for sample in samples]
    text = "\n\n".join(blocks)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "sample.txt"
    path.write_text(f"[{origin}]\n\n{text}\n", encoding="utf-8")
    print(f"{text}\n\n[{origin}]\nwrote {path}")


if __name__ == "__main__":
    main()
