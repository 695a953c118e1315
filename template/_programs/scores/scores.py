"""Scores on held-out samples."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """The mean loss of a predictor, None where it has none, and its measures by name."""

    loss: float | None
    samples: int
    measures: dict[str, float]
