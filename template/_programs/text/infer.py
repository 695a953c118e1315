"""Sample text from a trained model.

    python -m PACKAGE.infer --prompt "The captain"

Reads the newest checkpoint of `--run-dir` (default: of the run saved last), prints the text and
writes it to `results/sample.txt`. Before any training it samples the untrained tiny model.
"""

import argparse
from pathlib import Path

import torch

from .checkpoint import load_model, newest_run
from .config import Config
from .data import load_tokenizer
from .model import build_model
from .parallel import pick_device
from .results import RESULTS


def sample_text(args: argparse.Namespace) -> tuple[str, str]:
    """A continuation of the prompt, and a line on where it comes from."""
    device = pick_device(args.device)
    run_dir = args.run_dir or newest_run()
    if run_dir is None:
        config = Config.tiny()
        model = build_model(config).to(device).eval()
        origin = "untrained tiny model (no run below runs/ yet; train first)"
    else:
        config, model, steps = load_model(run_dir, device)
        origin = f"{run_dir} after {steps:,} steps"
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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run-dir", type=Path, help="folder of the run")
    parser.add_argument("--prompt", default="", help="text to continue; none starts a document")
    parser.add_argument("--max-new-tokens", type=int, default=200, help="tokens to add")
    parser.add_argument("--temperature", type=float, default=0.8, help="0 takes the likeliest")
    parser.add_argument("--top-k", type=int, help="choose among the k likeliest tokens")
    parser.add_argument("--top-p", type=float, help="choose among the likeliest with mass p")
    parser.add_argument("--seed", type=int, default=0, help="seed of the choices")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
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
