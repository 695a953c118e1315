"""What a model without interactions makes of the same columns."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .config import Config
from .data import Corpus

RIDGE = 1e-3
MOST_ROWS = 20_000  # of the training rows
STEPS = 60


def linear_answers(corpus: Corpus) -> dict[str, Tensor]:
    """What a linear model, fitted here to the training rows, says of the held-out ones."""
    asked, answers = design(corpus.val, corpus.config), {}
    if corpus.config.gives_label:
        x, labels = design(corpus.train, corpus.config), corpus.train["labels"]
        answers["label"] = asked @ logistic_regression(x, labels, corpus.config.num_classes)
    if corpus.config.gives_value:
        x, values = design(corpus.train, corpus.config), corpus.train["values"]
        answers["value"] = (asked @ ridge_regression(x, values)).float()
    if corpus.config.gives_embedding:
        answers["embedding"] = F.normalize(asked, dim=1)
    return answers


def linear_names(config: Config) -> str:
    """Who gives those answers."""
    names = []
    if config.gives_label or config.gives_value:
        names.append("linear model")
    if config.gives_embedding:
        names.append("nearest row by its columns")
    return ", ".join(names)


def design(batch: dict[str, Tensor], config: Config) -> Tensor:
    """Rows of a linear model: numbers, marks of missing ones, one column per word, and a one."""
    pieces = [batch["numbers"], batch["absent"].float()]
    if config.categorical:
        pieces.append(F.one_hot(batch["words"], config.categories).flatten(1).float())
    pieces.append(torch.ones(len(batch["numbers"]), 1))
    return torch.cat(pieces, dim=1).double()


def ridge_regression(x: Tensor, y: Tensor) -> Tensor:
    """Weights with the least squared error, in closed form: x (R, P), y (R, M) -> (P, M)."""
    x, y = x[:MOST_ROWS], y[:MOST_ROWS].double()
    penalty = RIDGE * len(x) * torch.eye(x.size(1), dtype=x.dtype)
    return torch.linalg.solve(x.T @ x + penalty, x.T @ y)


def logistic_regression(x: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Weights of the most likely labels, by quasi-Newton steps: x (R, P) -> (P, V)."""
    x, labels = x[:MOST_ROWS], labels[:MOST_ROWS]
    weight = torch.zeros(x.size(1), classes, dtype=x.dtype, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        nats = F.cross_entropy(x @ weight, labels) + RIDGE * weight.square().sum() / 2
        nats.backward()
        return nats

    optimizer.step(loss)
    return weight.detach()
