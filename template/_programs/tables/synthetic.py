"""The built-in table: answers that no sum over columns gives.

A target is the product of two numbers plus, where there are words, a third whose sign a word
decides: no column alone says whether it is large, so a linear model is no better than the mean. A
share of the cells is missing.
A label is the rank of the first target among the rows; a table whose cells are to be predicted has
that target as its last column of numbers.
"""

import torch
from torch import Tensor

from .config import Config

ROWS = 8_000
MISSING = 0.05  # of the cells
NOISE = 0.1  # standard deviation, in the targets
MOST_CLASSES = 4
LARGEST = 64  # columns of each kind; further ones would say nothing and stay empty


def built_in(config: Config) -> tuple[list[dict[str, str]], list[str]]:
    """The rows, every cell as text, and the names of the columns to predict."""
    generator = torch.Generator().manual_seed(config.seed)
    inputs = min(config.num_numeric, LARGEST)
    if config.gives_cells:
        inputs = max(1, inputs - 1)
    numbers = torch.randn(ROWS, inputs, generator=generator)
    columns = {f"x{i}": texts(numbers[:, i] * (i + 1) + i) for i in range(inputs)}
    signs = torch.zeros(ROWS, 1)
    if config.categorical:
        words = min(config.num_categorical, LARGEST)
        kinds = min(config.categories - 1, 8)
        codes = torch.randint(kinds, (ROWS, words), generator=generator)
        signs = 1.0 - 2.0 * (codes % 2)
        for i in range(words):
            columns[f"c{i}"] = [f"kind {code}" for code in codes[:, i].tolist()]
    answers = [target(numbers, signs, 0, generator)]
    if config.gives_value:
        answers += [target(numbers, signs, i, generator) for i in range(1, config.num_targets)]
    if config.gives_cells and config.num_numeric > 1:
        columns["y"] = texts(answers[0])
    for name, cells in columns.items():
        gone = torch.rand(ROWS, generator=generator) < MISSING
        columns[name] = [
            "" if missing else c for c, missing in zip(cells, gone.tolist(), strict=True)
        ]
    targets = []
    if config.gives_label:
        columns["label"] = label_of(answers[0], min(config.num_classes, MOST_CLASSES))
        targets.append("label")
    elif config.gives_embedding:
        columns["group"] = label_of(answers[0], MOST_CLASSES)
        targets.append("group")
    if config.gives_value:
        for i, answer in enumerate(answers):
            columns[f"value {i}"] = texts(answer)
            targets.append(f"value {i}")
    rows = zip(*columns.values(), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows], targets


def target(numbers: Tensor, signs: Tensor, turn: int, generator: torch.Generator) -> Tensor:
    """One target of every row, (ROWS,); `turn` decides which columns it is made of."""
    count = numbers.size(1)
    first, second, third = (numbers[:, (turn + i) % count] for i in range(3))
    sign = signs[:, turn % signs.size(1)]
    noise = NOISE * torch.randn(len(numbers), generator=generator)
    return first * second + sign * third + noise


def label_of(answer: Tensor, classes: int) -> list[str]:
    """Names of equally large classes, from the lowest answers to the highest."""
    ranks = answer.argsort().argsort()
    return [f"class {rank * classes // len(answer)}" for rank in ranks.tolist()]


def texts(numbers: Tensor) -> list[str]:
    """Numbers as a file would have them."""
    return [f"{x:.4g}" for x in numbers.tolist()]
