"""Scenes from files: pictures with a mask of classes each, or a COCO-style list of objects."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from .scenes import Scene, boxes_of

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
UNLABELLED = 255  # in masks of one byte a pixel


def read_image(path: Path, side: int, channels: int) -> np.ndarray:
    """A picture as (channels, side, side), values from -1 to 1; what lacks channels repeats."""
    with Image.open(path) as file:
        picture = file.convert("L" if channels == 1 else "RGB").resize((side, side))
    values = np.asarray(picture, dtype=np.float32).reshape(side, side, -1) / 127.5 - 1
    return values.transpose(2, 0, 1)[np.arange(channels) % values.shape[2]]


def read_mask(path: Path, side: int) -> np.ndarray:
    """The classes of a mask picture, (side, side); -1 where it says `UNLABELLED`."""
    with Image.open(path) as file:
        if file.mode not in ("L", "P", "I", "I;16", "1"):
            raise ValueError(f"{path}: a mask has one channel with class numbers, not {file.mode}")
        wide = file.mode.startswith("I")
        classes = np.asarray(file.resize((side, side), Image.Resampling.NEAREST), dtype=np.int64)
    return classes if wide else np.where(classes == UNLABELLED, -1, classes)


@dataclass(frozen=True)
class MaskFolder:
    """`images/` and `masks/`: pictures and masks with the same names but for their endings."""

    root: Path

    @cached_property
    def entries(self) -> list[tuple[Path, Path]]:
        """Pairs of picture and mask, in order of their names."""
        masks = {path.stem: path for path in (self.root / "masks").glob("*.png")}
        pictures = sorted(p for p in (self.root / "images").glob("*") if p.suffix in SUFFIXES)
        pairs = [(path, masks[path.stem]) for path in pictures if path.stem in masks]
        if not pairs:
            raise ValueError(f'--data "{self.root}": no pictures in images/ with a mask in masks/')
        return pairs

    def names(self, first: int) -> list[str]:
        """The classes' names: the lines of `classes.txt`, where there is one."""
        path = self.root / "classes.txt"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def scene(self, index: int, side: int, channels: int, first: int) -> Scene:
        """One entry; each class but the background is one object."""
        image, mask = self.entries[index]
        classes = read_mask(mask, side)
        labels = np.array([c for c in np.unique(classes) if c >= first], dtype=np.int64)
        masks = classes[None] == labels[:, None, None]
        return Scene(read_image(image, side, channels), labels, masks, boxes_of(masks), classes < 0)


@dataclass(frozen=True)
class CocoFile:
    """A COCO-style json; its pictures lie in `images/` beside it, or beside it."""

    path: Path

    @cached_property
    def content(self) -> dict:
        """The file, its annotations grouped by picture."""
        content = json.loads(self.path.read_text(encoding="utf-8"))
        if not content.get("images") or "categories" not in content:
            raise ValueError(f'--data "{self.path}": no "images" and "categories" in this file')
        grouped: dict[int, list] = {entry["id"]: [] for entry in content["images"]}
        for annotation in content.get("annotations", []):
            grouped[annotation["image_id"]].append(annotation)
        return content | {"grouped": grouped}

    @property
    def entries(self) -> list[dict]:
        """The pictures."""
        return self.content["images"]

    @cached_property
    def numbers(self) -> dict[int, int]:
        """A class number from 0 for each category id."""
        ids = sorted(category["id"] for category in self.content["categories"])
        return {category: number for number, category in enumerate(ids)}

    def names(self, first: int) -> list[str]:
        """The categories' names by class number, after `first` for the background."""
        named = {c["id"]: c["name"] for c in self.content["categories"]}
        return ["background"] * first + [named[category] for category in self.numbers]

    def scene(self, index: int, side: int, channels: int, first: int) -> Scene:
        """One picture with its objects; crowds are ignored pixels."""
        entry = self.entries[index]
        folder = self.path.parent
        path = next(
            (p for p in (folder / "images" / entry["file_name"], folder / entry["file_name"])
             if p.exists()), None,
        )  # fmt: skip
        if path is None:
            raise ValueError(f"{self.path}: {entry['file_name']} is neither in images/ nor beside")
        image = read_image(path, side, channels)
        width, height = entry["width"], entry["height"]
        labels, masks, boxes = [], [], []
        ignored = np.zeros((side, side), dtype=bool)
        for annotation in self.content["grouped"][entry["id"]]:
            left, top, wide, high = annotation["bbox"]
            mask = object_mask(annotation, width, height, side)
            if annotation.get("iscrowd"):
                ignored |= mask
            elif wide > 0 and high > 0:
                labels.append(first + self.numbers[annotation["category_id"]])
                masks.append(mask)
                centre = (left + wide / 2) / width, (top + high / 2) / height
                boxes.append((*centre, wide / width, high / height))
        return Scene(
            image,
            np.array(labels, dtype=np.int64),
            np.array(masks, dtype=bool).reshape(-1, side, side),
            np.array(boxes, dtype=np.float32).reshape(-1, 4),
            ignored,
        )


def object_mask(annotation: dict, width: int, height: int, side: int) -> np.ndarray:
    """The pixels of an object: polygons, run lengths down the columns, or else its box."""
    shape = annotation.get("segmentation")
    if isinstance(shape, dict):
        if isinstance(shape["counts"], str):
            raise ValueError("compressed run lengths are not read: state counts as a list")
        values = np.arange(len(shape["counts"])) % 2
        flat = np.repeat(values, shape["counts"]).astype(np.uint8)
        picture = Image.fromarray(flat.reshape(width, height).T * 255)
        resized = picture.resize((side, side), Image.Resampling.NEAREST)
        return np.asarray(resized) > 0
    if not shape:
        left, top, wide, high = annotation["bbox"]
        right, bottom = left + wide, top + high
        shape = [[left, top, right, top, right, bottom, left, bottom]]
    canvas = Image.new("1", (side, side))
    scale = np.array([side / width, side / height])
    for polygon in shape:
        points = np.array(polygon).reshape(-1, 2) * scale
        ImageDraw.Draw(canvas).polygon([tuple(p) for p in points], fill=1)
    return np.asarray(canvas)


def open_data(data: str) -> MaskFolder | CocoFile:
    """The reader for `--data`: a COCO-style json, a folder with one, or images/ and masks/."""
    path = Path(data)
    if path.is_file() and path.suffix == ".json":
        return CocoFile(path)
    if (path / "masks").is_dir():
        return MaskFolder(path)
    found = sorted(path.glob("*.json"))
    if not found:
        raise ValueError(f'--data "{data}": neither a COCO-style json nor images/ and masks/')
    return CocoFile(found[0])
