"""Interactions of users with items as tensors.

Without `--data` they are built in. `--data` takes a CSV file with columns `user` and `item`, and
perhaps `timestamp` (without it rows are in order of time); `--items` a CSV file whose first column
names items and whose others say what is told of them. Of some users the newest item is held out;
an older item of a user is learned with the items before it as the history. The interactions of a
step follow from (seed, step), so training resumes exactly and does not depend on how many processes
share a batch.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import torch
from torch import Tensor

from .config import Config
from .features import item_features
from .synthetic import built_in

UNITS = "interactions"
FEWEST = 3  # items of a user of whom one is held out
Told = dict[str, dict[str, str]]


class Corpus:
    """What users had, oldest first, without what is held out.

    Attributes:
        users, items: names, in order of their numbers.
        had: the numbers of each user's items; `val` are pairs of a user and the item held out.
        counts: how often each item occurs in training, (items,).
        features, weights: what is told of each item, (items, S) each.
    """

    def __init__(self, config: Config):
        self.config = config
        pairs, told = find_interactions(config)
        self.users = list(dict.fromkeys(user for user, _ in pairs))
        self.items = list(dict.fromkeys([*(item for _, item in pairs), *told]))
        for flag, names, most in (
            ("--num-users", self.users, config.num_users),
            ("--num-items", self.items, config.num_items),
        ):
            if len(names) > most:
                raise ValueError(f"--data has {len(names)} of them; {flag} is {most}")
        self.had = histories(pairs, self.users, self.items)
        able = [u for u, items in enumerate(self.had) if len(items) >= min(FEWEST, len(self.items))]
        order = Random(f"{config.seed}/split").sample(able, len(able))
        held_out = sorted(order[: max(1, round(len(able) * config.val_fraction))])
        self.val = [(user, self.had[user].pop()) for user in held_out]
        self.pairs = [(u, p) for u, items in enumerate(self.had) for p in range(len(items))]
        if not self.val or len(self.pairs) < 2:
            raise ValueError(f'--data "{config.data}": too few interactions to learn from')
        numbers = torch.tensor([self.had[u][p] for u, p in self.pairs])
        self.counts = numbers.bincount(minlength=len(self.items))
        self.features, self.weights = item_features(self.items, told, config)

    def train_batch(self, step: int, rows: range) -> dict[str, Tensor]:
        """Interactions `rows` of the step's global batch."""
        rng = Random(f"{self.config.seed}/batch/{step}")
        chosen = rng.choices(self.pairs, k=self.config.global_batch)
        chosen = [chosen[row] for row in rows]
        items = torch.tensor([self.had[user][place] for user, place in chosen])
        share = self.counts[items] / len(self.pairs)
        asked = self.askers(chosen) | self.offers(items)
        return asked | {"log_q": share.log()}

    def val_batches(self, batch_size: int, limit: int | None = None) -> Iterator[dict[str, Tensor]]:
        """Held-out users in order, at most `limit`, with their item and what they had before."""
        chosen = self.val[:limit]
        for first in range(0, len(chosen), batch_size):
            some = chosen[first : first + batch_size]
            batch = self.askers([(user, len(self.had[user])) for user, _ in some])
            yield batch | {
                "answers": torch.tensor([item for _, item in some]),
                "seen": self.seen([user for user, _ in some]),
            }

    def askers(self, chosen: Sequence[tuple[int, int]]) -> dict[str, Tensor]:
        """Users, each at a place of what they had: their numbers and the items before it."""
        length = self.config.history_length
        history = torch.zeros(len(chosen), length, dtype=torch.long)
        held = torch.zeros(len(chosen), length, dtype=torch.bool)
        for row, (user, place) in enumerate(chosen):
            before = self.had[user][max(0, place - length) : place]
            history[row, : len(before)] = torch.tensor(before, dtype=torch.long)
            held[row, : len(before)] = True
        users = torch.tensor([user for user, _ in chosen])
        return {"users": users, "history": history, "held": held}

    def offers(self, items: Tensor) -> dict[str, Tensor]:
        """Items with what is told of them."""
        return {"items": items, "features": self.features[items], "weights": self.weights[items]}

    def seen(self, users: Sequence[int]) -> Tensor:
        """Which items users had in training, (users, items): nobody is recommended them again."""
        seen = torch.zeros(len(users), len(self.items), dtype=torch.bool)
        for row, user in enumerate(users):
            seen[row, self.had[user]] = True
        return seen


def histories(
    pairs: Sequence[tuple[str, str]], users: Sequence[str], items: Sequence[str]
) -> list[list[int]]:
    """The numbers of every user's items, oldest first, each once."""
    user_of = {name: number for number, name in enumerate(users)}
    item_of = {name: number for number, name in enumerate(items)}
    had: list[dict[int, None]] = [{} for _ in users]
    for user, item in pairs:
        had[user_of[user]].setdefault(item_of[item])
    return [list(items) for items in had]


def find_interactions(config: Config) -> tuple[list[tuple[str, str]], Told]:
    """Pairs of user and item, oldest first, and what is told of items."""
    if not config.data:
        return built_in(config)
    rows = read_rows(Path(config.data), "--data")
    for name in ("user", "item"):
        if name not in rows[0]:
            raise ValueError(f'--data "{config.data}" has no column "{name}"')
    if "timestamp" in rows[0]:
        rows.sort(key=lambda row: moment(row["timestamp"]))
    told: Told = {}
    if config.items:
        for row in read_rows(Path(config.items), "--items"):
            (_, item), *columns = row.items()
            told[item] = dict(columns)
    return [(row["user"], row["item"]) for row in rows], told


def moment(cell: str) -> tuple[float, str]:
    """What timestamps are ordered by: numbers as numbers, dates as they are written."""
    try:
        return float(cell), ""
    except ValueError:
        return 0.0, cell


def read_rows(path: Path, flag: str) -> list[dict[str, str]]:
    """The rows of a CSV file with a header."""
    if not path.is_file():
        raise ValueError(f'{flag} "{path}": no such file')
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, restval="")
        rows = [{name: row[name] for name in reader.fieldnames or []} for row in reader]
    if not rows or not rows[0]:
        raise ValueError(f'{flag} "{path}": no rows below a header')
    return rows


def prepare(config: Config) -> None:
    """Check the data and write the names of users and items to the run folder."""
    corpus = Corpus(config)
    folder = Path(config.run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"users": corpus.users, "items": corpus.items}) + "\n"
    (folder / "names.json").write_text(text, encoding="utf-8")


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Random interactions, shaped as a batch: for shapes and speed."""
    generator = torch.Generator().manual_seed(seed)
    history = (batch_size, config.history_length)
    slots = (batch_size, config.feature_slots)
    return {
        "users": torch.randint(config.num_users, (batch_size,), generator=generator),
        "history": torch.randint(config.num_items, history, generator=generator),
        "held": torch.rand(history, generator=generator) < 0.8,
        "items": torch.arange(batch_size) % config.num_items,
        "features": torch.randint(config.feature_rows, slots, generator=generator),
        "weights": torch.rand(slots, generator=generator),
        "log_q": torch.full((batch_size,), -1.0) - torch.rand(batch_size, generator=generator),
    }
