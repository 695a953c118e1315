"""What several tests need that is no fixture."""

import csv
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import torch
from PIL import Image


def rows_of(path):
    """The rows of a CSV file, by the names in its head."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def draw_zeros(module):
    """Shift every weight a little: what begins as zero answers nothing before it is trained."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.requires_grad:
                parameter += 0.05 * torch.randn(parameter.shape, generator=generator)


def learn(model, batch, steps, rate):
    """Train on one batch alone; the loss of every step."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = model.loss(batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def draw_pictures(folder):
    """A new folder of twelve pictures, `00.png` to `11.png`."""
    folder.mkdir()
    for i in range(12):
        Image.new("RGB", (40 + i, 30), (20 * i, 0, 90)).save(folder / f"{i:02d}.png")
    return folder


def offer_dataset(monkeypatch, rows):
    """Let `datasets.load_dataset` return `rows`, whatever it is asked for."""
    datasets = ModuleType("datasets")
    datasets.__spec__ = ModuleSpec("datasets", None)
    datasets.load_dataset = lambda name, split: rows
    monkeypatch.setitem(sys.modules, "datasets", datasets)


class LabelledRows:
    """What a Hugging Face dataset of two rows looks like, labelled `b` and `a`."""

    def __init__(self, cells):
        self.cells, self.features = cells, {"label": None}

    def __getitem__(self, key):
        return ["b", "a"] if key == "label" else self.cells[key]
