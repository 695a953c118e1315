"""The training log: one line a report, on the terminal, in a CSV file and in TensorBoard."""

import csv
import importlib.util
import time
from pathlib import Path
from typing import Self

from .config import Config

COLUMNS = (
    "step", "loss", "episode_return", "mean_return", "learning_rate", "grad_norm", "pace",
)  # fmt: skip


class Log:
    """Writes what a run measures; silent in all processes but the first."""

    def __init__(self, config: Config, done: int, enabled: bool):
        self.config, self.enabled = config, enabled
        self.step, self.clock = done, time.perf_counter()
        self.finished: list[float] = []
        self.board = None
        if not enabled:
            return
        path = Path(config.run_dir) / "log.csv"
        kept = earlier_rows(path, done)
        self.file = open(path, "w", encoding="utf-8", newline="")
        self.rows = csv.DictWriter(self.file, COLUMNS)
        self.rows.writeheader()
        self.rows.writerows(kept)
        if importlib.util.find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(config.run_dir, purge_step=done + 1)

    def note(self, returns: list[float]) -> None:
        """Remember the returns of episodes that ended, for the next line."""
        self.finished += returns

    def write(
        self, step: int, loss: float, mean_return: float | None, rate: float, norm: float
    ) -> None:
        """Report the state after `step` steps; speed is that since the last report."""
        if not self.enabled:
            return
        now = time.perf_counter()
        speed = (step - self.step) / (now - self.clock)  # steps per second
        self.step, self.clock = step, now
        pace = speed * self.config.global_batch  # environment steps per second
        ended = sum(self.finished) / len(self.finished) if self.finished else ""
        self.finished = []
        held_out = "" if mean_return is None else mean_return
        cells = (step, loss, ended, held_out, rate, norm, round(pace))
        row = dict(zip(COLUMNS, cells, strict=True))
        self.rows.writerow(row)
        self.file.flush()
        if self.board:
            for name, value in row.items():
                if name != "step" and value != "":
                    self.board.add_scalar(name, value, step)
        left = (self.config.steps - step) / speed
        shown = f"  episodes {ended:.1f}" if ended != "" else ""
        shown += "" if mean_return is None else f"  held out {mean_return:.1f}"
        print(
            f"step {step:>{len(str(self.config.steps))}}/{self.config.steps}  loss {loss:.4f}"
            f"  lr {rate:.2e}  {pace / 1000:.1f}k steps/s  {left:.0f} s left{shown}",
            flush=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception) -> None:
        if self.enabled:
            self.file.close()
        if self.enabled and not any(exception):
            print(f"{self.config.run_dir} stands at step {self.step} of {self.config.steps}")
        if self.board:
            self.board.close()


def earlier_rows(path: Path, done: int) -> list[dict[str, str]]:
    """The rows of a resumed run's log up to step `done`; none for a new run."""
    if not done or not path.exists():
        return []
    with open(path, encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if int(row["step"]) <= done]
