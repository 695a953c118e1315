"""Play one episode.

    python -m PACKAGE.infer

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/episode.csv`, a line for every step with the state before it, the action and the reward,
and `results/episode.gif`. Before any training it plays with the untrained tiny model.
"""

import argparse
import csv
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image

from .acting import build_actor
from .arena import open_arena
from .checkpoint import load_model, newest_run
from .config import Config
from .model import build_model
from .parallel import pick_device
from .playing import MOST_STEPS
from .results import RESULTS

MOST_FRAMES = 250  # pictures of a GIF; of longer episodes steps are left out

Row = dict[str, float]


@torch.inference_mode()
def play(args: argparse.Namespace) -> tuple[list[Row], list[Image.Image], str]:
    """The steps of an episode, its pictures, and a line on who played."""
    device = pick_device(args.device)
    run_dir = args.run_dir or newest_run()
    if run_dir is None:
        config = Config.tiny()
        model = build_model(config).to(device).eval()
        origin = "untrained tiny model (no run below runs/ yet; train first)"
    else:
        config, model, steps = load_model(run_dir, device)
        origin = f"{run_dir} after {steps:,} steps"
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
    RESULTS.mkdir(exist_ok=True)
    table, film = RESULTS / "episode.csv", RESULTS / "episode.gif"
    with open(table, "w", encoding="utf-8", newline="") as file:
        lines = csv.DictWriter(file, list(rows[0]))
        lines.writeheader()
        lines.writerows(rows)
    stride = -(-len(pictures) // MOST_FRAMES)
    first, *rest = (picture.quantize(32) for picture in pictures[::stride])
    first.save(film, save_all=True, append_images=rest, duration=40, loop=0)
    return table, film


def main() -> None:
    """Read the flags, play, print and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run-dir", type=Path, help="folder of the run")
    parser.add_argument("--seed", type=int, help="another episode (default: the run's seed)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
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
