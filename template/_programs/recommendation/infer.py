"""Recommend items to users.

    python -m PACKAGE.infer --limit 12

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/recommendations.csv`, ten items for each user; `results/vectors.npz`, what users and items
became; and `results/recommendations.png`, the first lists as bars. `--users` names users of the
data, commas between them; without it those of whom an item is held out are served. Before any
training the untrained tiny model answers.
"""

import argparse

import numpy as np
import torch

from .data import Corpus
from .measures import TOP, item_vectors
from .plot import bars, below
from .results import RESULTS
from .runs import load_run, predict_run, run_parser

DRAWN = 4  # users


@torch.inference_mode()
def recommend(args: argparse.Namespace) -> list[dict[str, str]]:
    """A row for each user and item; writes the vectors and the plot."""
    config, model, device, origin = load_run(args)
    print(f"[{origin}]")
    corpus = Corpus(config)
    served = [user for user, _ in corpus.val][: args.limit]
    if args.users:
        numbers = {name: number for number, name in enumerate(corpus.users)}
        names = [name.strip() for name in args.users.split(",")]
        unknown = [name for name in names if name not in numbers]
        if unknown:
            raise ValueError(f'--users: the data have no "{unknown[0]}"')
        served = [numbers[name] for name in names]
    asked = corpus.askers([(user, len(corpus.had[user])) for user in served])
    users = model.users({name: tensor.to(device) for name, tensor in asked.items()})
    items = item_vectors(model, corpus, device)
    scores = model.scores(users, items).float().cpu()
    best = scores.masked_fill(corpus.seen(served), -torch.inf).topk(min(TOP, len(corpus.items)))
    RESULTS.mkdir(exist_ok=True)
    vectors = {"users": users, "items": items}
    arrays = {name: x.float().cpu().numpy() for name, x in vectors.items()}
    np.savez(RESULTS / "vectors.npz", **arrays)
    rows, pictures, next_item = [], [], dict(corpus.val)
    for user, values, picks in zip(served, best.values, best.indices.tolist(), strict=True):
        offered = [i for i, x in zip(picks, values.tolist(), strict=True) if x > -torch.inf]
        cosines = (values[: len(offered)] * config.temperature).tolist()
        right = [item == next_item.get(user) for item in offered]
        for rank, (item, cosine, hit) in enumerate(zip(offered, cosines, right, strict=True), 1):
            rows.append(
                {
                    "user": corpus.users[user],
                    "rank": str(rank),
                    "item": corpus.items[item],
                    "cosine": f"{cosine:.4f}",
                    "had next": "yes" if hit else "",
                }
            )
        if len(pictures) < DRAWN:
            title = f"{corpus.users[user]}: cosine of ten items (red: not the one had next)"
            pictures.append(bars(title, [corpus.items[i] for i in offered], cosines, right))
    below(pictures).save(RESULTS / "recommendations.png")
    return rows


def main() -> None:
    """Read the flags, recommend, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--users", default="", help="names of users (default: held-out ones)")
    parser.add_argument("--limit", type=int, default=24, help="at most so many users")
    predict_run(recommend, parser, "recommendations", "vectors.npz", "recommendations.png")


if __name__ == "__main__":
    main()
