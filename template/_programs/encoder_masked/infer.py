"""Restore the hidden tokens of a text with a trained model.

    python -m PACKAGE.infer --text "The capt___ follows the river."

Every `_` hides one token. Reads the newest checkpoint of `--run-dir` (default: of the run saved
last), fills the gaps one by one, the surest first, prints the text and writes it to
`results/restored.txt`, with the five likeliest tokens of every gap in `results/candidates.jsonl`.
Without `--text` it hides words of a held-out text. Before any training it asks the untrained model.
"""

import argparse
import json
from random import Random

import torch

from .codec import Codec
from .data import held_out_examples
from .results import RESULTS
from .runs import run_parser
from .trained import load_trained

GAP = "_"


def with_gaps(text: str, rng: Random) -> str:
    """A text with the letters of one long word in eight hidden."""
    words = text.split(" ")
    long = [place for place, word in enumerate(words) if len(word) > 3]
    hidden = set(rng.sample(long, -(-len(long) // 8)))
    return " ".join(GAP * len(w) if place in hidden else w for place, w in enumerate(words))


def encode_gaps(text: str, codec: Codec, length: int) -> list[int]:
    """Token ids of a text, hidden at its gaps."""
    first, *rest = (codec.tokenizer.encode(piece) for piece in text.split(GAP))
    inner = first + [i for piece in rest for i in (codec.hidden, *piece)]
    return [codec.start, *inner[: length - 2], codec.stop]


def restore(args: argparse.Namespace) -> tuple[str, str, list[dict], str]:
    """The text with gaps and without, the candidates of each gap, and the model's origin."""
    trained = load_trained(args)
    codec, length = trained.codec, trained.config.text_length
    text = args.text
    if text is None:
        [example] = held_out_examples(trained.config, 1)
        text = with_gaps(example["text"][: length - 2], Random(args.seed))
    ids = encode_gaps(text, codec, length)
    tokens, candidates = torch.tensor([ids]), {}
    while (tokens == codec.hidden).any():
        logits = trained.read({"tokens": tokens})[0, :, : len(codec.tokenizer)]
        chances = logits.softmax(-1)  # (T, tokens of the tokenizer)
        surest = chances.max(-1).values.where(tokens[0] == codec.hidden, -1.0).argmax()
        best = chances[surest].topk(5)
        candidates[int(surest)] = [
            {"token": codec.decode([i]), "probability": round(p, 4)}
            for i, p in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ]
        tokens[0, surest] = best.indices[0]
    gaps = [{"position": place, "candidates": candidates[place]} for place in sorted(candidates)]
    return text, codec.decode(tokens[0].tolist()), gaps, trained.origin


def main() -> None:
    """Read the flags, restore, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--text", help=f"a text in which every {GAP} hides a token")
    parser.add_argument("--seed", type=int, default=0, help="seed of the words that are hidden")
    try:
        text, restored, gaps, origin = restore(parser.parse_args())
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "restored.txt"
    path.write_text(f"[{origin}]\n\n{text}\n\n{restored}\n", encoding="utf-8")
    lines = "".join(json.dumps(gap, ensure_ascii=False) + "\n" for gap in gaps)
    (RESULTS / "candidates.jsonl").write_text(lines, encoding="utf-8")
    print(f"{text}\n\n{restored}\n\n[{origin}]\nwrote {path} and {RESULTS / 'candidates.jsonl'}")


if __name__ == "__main__":
    main()
