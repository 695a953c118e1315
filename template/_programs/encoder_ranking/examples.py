"""Examples of ranking: a query and passages, graded by how well they answer it."""

from collections.abc import Iterator
from random import Random
from typing import Any

import torch
from torch import Tensor

from .codec import Codec
from .config import Config
from .rows import TABLES, cell, read_rows
from .synthetic import synthetic_examples

SUFFIXES = TABLES


def read_examples(config: Config) -> Iterator[dict[str, Any]]:
    """Queries with exactly `candidates` graded passages each.

    Rows of `--data` have the columns "query", "passage" and, unless all are relevant, "grade".
    Where a query has too few passages, those of other queries fill up, with grade 0.
    """
    if not config.data:
        yield from synthetic_examples(config.seed, config.candidates)
        return
    queries: dict[str, dict[str, float]] = {}
    for row in read_rows(config.data):
        grade = float(cell({"grade": 1} | row, "relevance", "label", "score", "grade"))
        passages = queries.setdefault(cell(row, "query", "question"), {})
        passages[cell(row, "passage", "text", "document")] = grade
    known = sorted({text for passages in queries.values() for text in passages})
    if len(known) < config.candidates:
        raise ValueError(f"--data has {len(known)} passages; --candidates is {config.candidates}")
    rng = Random(f"{config.seed}/passages")
    for query, passages in queries.items():
        best = sorted(passages, key=lambda text: -passages[text])[: config.candidates]
        while len(best) < config.candidates:
            text = rng.choice(known)
            if text not in best:
                best.append(text)
        graded = [{"text": text, "grade": passages.get(text, 0.0)} for text in best]
        yield {"query": query, "passages": rng.sample(graded, len(graded))}


def texts_of(example: dict[str, Any]) -> list[str]:
    """What a tokenizer learns from."""
    return [example["query"], *(passage["text"] for passage in example["passages"])]


def describe(config: Config) -> dict[str, Any]:
    """Nothing beyond the queries themselves."""
    return {}


def encode(
    example: dict[str, Any], codec: Codec, config: Config, description: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Query and passage together, once for each passage: token ids, lengths of the first part."""
    texts = [passage["text"] for passage in example["passages"]]
    pairs = [codec.encode_pair(example["query"], text, config.text_length) for text in texts]
    yield {
        "tokens": [tokens for tokens, _ in pairs],
        "seconds": [second for _, second in pairs],
        "grades": [float(passage["grade"]) for passage in example["passages"]],
    }


def random_example(config: Config, codec: Codec, rng: Random) -> dict[str, Any]:
    """A query and passages of noise."""
    count = config.candidates
    return {
        "tokens": [codec.noise(config.text_length, rng) for _ in range(count)],
        "seconds": [config.text_length // 2] * count,
        "grades": [float(rng.randrange(3)) for _ in range(count)],
    }


def collate(
    config: Config, codec: Codec, examples: list[dict[str, Any]], draws: list[Random]
) -> dict[str, Tensor]:
    """{"tokens", "seen", "types": (B * N, T), "grades": (B, N)}, query by query."""
    tokens = [row for example in examples for row in example["tokens"]]
    seconds = [second for example in examples for second in example["seconds"]]
    grades = torch.tensor([example["grades"] for example in examples])
    return pairs_batch(codec, tokens, seconds) | {"grades": grades}


def pairs_batch(codec: Codec, tokens: list[list[int]], seconds: list[int]) -> dict[str, Tensor]:
    """Rows of pairs with the type of each token: 0 in the first text, 1 in the second."""
    batch = codec.stack(tokens)
    places = torch.arange(batch["tokens"].size(1))
    types = (places >= torch.tensor(seconds)[:, None]) & batch["seen"]
    return batch | {"types": types.long()}
