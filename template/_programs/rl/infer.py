"""Play one episode.

    python -m PACKAGE.infer

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/episode.csv`, a line for every step with the state before it, the action and the reward,
and `results/episode.gif`. Before any training it plays with the untrained tiny model.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image

from .acting import build_actor
from .arena import open_arena
from .playing import MOST_STEPS
from .results import RESULTS, save_rows
from .runs import load_run, run_parser

MOST_FRAMES = 250  # pictures of a GIF; of longer episodes steps are left out

Row = dict[str, float]


@torch.inference_mode()
def play(args: argparse.Namespace) -> tuple[list[Row], list[Image.Image], str]:
    """The steps of an episode, its pictures, and a line on who played."""
    config, model, _, origin = load_run(args)
    if args.seed is not None:
        config = replace(config, seed=args.seed)
    arena = open_arena(config, 1, "held out")
    actor = build_actor(config, model, 1)
    rows, pictures = [], []
    for number in range(MOST_STEPS):
        pictures.append(arena.picture())
        facts = arena.facts()
        seen = arena.observe()
        if config.observation == "state":
            facts |= {f"observation_{i}": x for i, x in enumerate(seen[0].tolist())}
        action = actor.act(seen)
        step = arena.step(action)
        actor.notice(step)
        done = {f"action_{i}": x for i, x in enumerate(action.reshape(-1).tolist())}
        rows.append({"step": number, **facts, **done, "reward": step.rewards.item()})
        if step.ended[0]:
            break
    return rows, pictures, origin


def save(rows: list[Row], pictures: list[Image.Image]) -> tuple[Path, Path]:
    """Write the table and the animation."""
    table, film = save_rows("episode", rows), RESULTS / "episode.gif"
    stride = -(-len(pictures) // MOST_FRAMES)
    first, *rest = (picture.quantize(32) for picture in pictures[::stride])
    first.save(film, save_all=True, append_images=rest, duration=40, loop=0)
    return table, film


def main() -> None:
    """Read the flags, play, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--seed", type=int, help="another episode (default: the run's seed)")
    try:
        rows, pictures, origin = play(parser.parse_args())
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    table, film = save(rows, pictures)
    total = sum(row["reward"] for row in rows)
    print(f"{len(rows):,} steps, return {total:,.1f}")
    print(f"[{origin}]\nwrote {table} and {film}")


if __name__ == "__main__":
    main()
