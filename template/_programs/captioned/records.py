"""Reading pairs: which picture goes with which text."""

from collections.abc import Iterator
from pathlib import Path

from .pictures import SUFFIXES
from .reading import dataset_rows, files_at, table_rows

TABLES = (".csv", ".jsonl")
PICTURE_KEYS = ("image", "picture", "file_name", "path", "filepath", "url")
TEXT_KEYS = ("text", "caption", "sentence", "description", "answer")


def read_records(data: str, keep: Path) -> Iterator[dict[str, str]]:
    """The records of `--data`: `image`, `text`, and whatever else a table has.

    A CSV or JSONL file, a folder with such files, a folder of pictures with a .txt beside each, or
    a Hugging Face dataset by name, whose pictures are written to `keep`.
    """
    path = Path(data)
    if path.is_file():
        yield from read_table(path)
    elif path.is_dir():
        tables = [p for p in files_at(data) if p.suffix.lower() in TABLES]
        for table in tables:
            yield from read_table(table)
        if not tables:
            yield from read_folder(path)
    else:
        yield from read_dataset(data, keep)


def read_table(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a CSV or JSONL file; picture paths are relative to its folder."""
    for row in table_rows(path):
        picture, text = pick(row, PICTURE_KEYS), pick(row, TEXT_KEYS)
        if picture is None or text is None:
            raise ValueError(
                f'--data "{path}": a row needs one of {", ".join(PICTURE_KEYS)} '
                f"and one of {', '.join(TEXT_KEYS)}"
            )
        words = {key: value for key, value in row.items() if isinstance(value, str)}
        yield {**words, "image": str(path.parent / picture), "text": str(text)}


def pick(row: dict, keys: tuple[str, ...]) -> str | None:
    """The value of the first of `keys` that a row has."""
    return next((row[key] for key in keys if row.get(key)), None)


def read_folder(folder: Path) -> Iterator[dict[str, str]]:
    """Every picture with a .txt of the same name beside it."""
    for path in sorted(folder.rglob("*")):
        text = path.with_suffix(".txt")
        if path.suffix.lower() in SUFFIXES and text.exists():
            yield {"image": str(path), "text": text.read_text(encoding="utf-8").strip()}


def read_dataset(name: str, keep: Path) -> Iterator[dict[str, str]]:
    """The training split of a Hugging Face dataset with a picture and a text column."""
    keep.mkdir(parents=True, exist_ok=True)
    for index, row in enumerate(dataset_rows(name)):
        picture, text = pick(row, PICTURE_KEYS), pick(row, TEXT_KEYS)
        if picture is None or text is None:
            raise ValueError(f'--data "{name}": the dataset has no picture and text columns')
        path = keep / f"{index:08d}.png"
        picture.convert("RGB").save(path)
        words = {key: value for key, value in row.items() if isinstance(value, str)}
        yield {**words, "image": str(path), "text": str(text)}
