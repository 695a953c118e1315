"""Documents drawn at random: what a row of the routing table asks for, or anything at all."""

from __future__ import annotations

from random import Random
from typing import Any

from metagen.specs.vocabulary import (
    APPROXIMATED,
    DEVICE,
    FAMILY,
    INPUT,
    LATENCY,
    OBJECTIVE,
    OUTPUT,
    TASK,
)
from metagen.synth.routing import ROWS

from .conftest import BASE

RATES = ("20 tok/s", "10 img/s", "24fps", "50 samples/s", "60 steps/s")
#: What a task may state, beside nothing.
SIZES = {
    "num_classes": (2, 10, 365, 1000),
    "image_size": (32, 96, 224, 384),
    "channels": (1, 3, 4),
    "frames": (1, 7, 8, 32),
    "seconds": (1, 5, 30),
    "sample_rate": ("8kHz", "16kHz", "44.1kHz"),
    "embedding_dim": (64, 512),
    "max_objects": (10, 100),
    "horizon": (1, 24, 96),
    "lookback": (16, 96, 512),
    "num_variables": (1, 7, 50),
    "num_features": (1, 8, 100),
    "num_targets": (1, 3),
    "num_items": (2, 1000, 10**6),
    "num_actions": (2, 18),
    "action_dim": (1, 6),
    "state_dim": (1, 17),
    "node_features": (1, 16, 1433),
    "edge_features": (1, 4),
    "num_nodes": (8, 10**6),
    "num_points": (128, 2048),
}


def draw(seed: int) -> tuple[dict[str, Any], float]:
    """A document and its parameter budget, both functions of the seed."""
    rng = Random(f"random specs/{seed}")

    def sometimes(share, draw_one):
        return draw_one() if rng.random() < share else None

    def modalities(words):
        pool = [*words.words, rng.choice(sorted(APPROXIMATED))]
        return rng.sample(pool, rng.choice((1, 1, 1, 2)))

    task = {"type": sometimes(0.4, lambda: rng.choice(list(TASK.words)))}
    task |= {name: sometimes(0.3, lambda v=values: rng.choice(v)) for name, values in SIZES.items()}
    wanted = rng.choice((1, 1, 1, 2))
    budget = 10 ** rng.uniform(5, 12)
    constraints = {
        "latency": rng.choice(list(LATENCY.words)),
        "device": rng.choice(list(DEVICE.words)),
        "parameter_budget": {"max": int(budget)},
        "memory_budget": rng.choice(("∞", "1GB", "12GB", "80GB")),
        "context_window": sometimes(0.4, lambda: rng.choice(("512", "4k", "1M", "∞"))),
        "throughput": sometimes(0.3, lambda: rng.choice(RATES)),
    }
    row = rng.choice(ROWS) if rng.random() < 0.67 else {}
    task["type"] = rng.choice(row["task"]) if "task" in row else task["type"]
    objective = sometimes(0.5, lambda: rng.sample(list(OBJECTIVE.words), wanted))
    family = sometimes(0.6, lambda: rng.choice(list(FAMILY.words)))

    def side(name, words):
        among = row.get(f"{name}_among")
        some = among and rng.sample(among, row.get(f"{name}_at_least", 1))
        return row.get(name) or some or modalities(words)

    sections = {
        "modality": {
            "inputs": side("inputs", INPUT),
            "outputs": side("outputs", OUTPUT),
        },
        "task": task,
        "constraints": constraints,
        "training": {"objective": row.get("objective", objective)},
        "architecture": {"family": rng.choice(row["family"]) if "family" in row else family},
        "reproducibility": {"seed": seed},
    }
    return BASE | sections, budget
