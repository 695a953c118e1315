"""The training log: one line a report, on the terminal, in a CSV file and in TensorBoard."""

import csv
import importlib.util
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from .config import Config


class Log:
    """Writes what a run measures; silent in all processes but the first."""

    def __init__(self, config: Config, columns: Sequence[str], done: int, enabled: bool):
        self.config, self.columns, self.enabled = config, columns, enabled
        self.step, self.clock = done, time.perf_counter()
        self.board = None
        if not enabled:
            return
        path = Path(config.run_dir) / "log.csv"
        kept = earlier_rows(path, done)
        self.file = open(path, "w", encoding="utf-8", newline="")
        self.rows = csv.DictWriter(self.file, ("step", *columns, "pace"))
        self.rows.writeheader()
        self.rows.writerows(kept)
        if importlib.util.find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(config.run_dir, purge_step=done + 1)

    def write(self, step: int, *values: float | None) -> None:
        """Report the columns, as far as they are known, after `step` steps.

        The pace is that since the last report.
        """
        if not self.enabled:
            return
        now = time.perf_counter()
        speed = (step - self.step) / (now - self.clock)  # steps per second
        self.step, self.clock = step, now
        pace = speed * self.config.global_batch  # samples per second
        if self.config.counted == "token":
            pace *= self.config.train_length
        pace = float(f"{pace:.3g}")
        columns = zip(self.columns, values, strict=True)
        known = {name: value for name, value in columns if value is not None}
        self.rows.writerow({"step": step, **known, "pace": pace})
        self.file.flush()
        if self.board:
            for name, value in {**known, "pace": pace}.items():
                self.board.add_scalar(name, value, step)
        left = (self.config.steps - step) / speed
        unit = "tok" if self.config.counted == "token" else "samples"
        shown = "  ".join(f"{name} {value:.4g}" for name, value in known.items())
        print(
            f"step {step:>{len(str(self.config.steps))}}/{self.config.steps}  {shown}"
            f"  {pace:,g} {unit}/s  {left:.0f} s left",
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
