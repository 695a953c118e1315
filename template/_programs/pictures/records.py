"""Reading pictures, and what is told of each: a caption, a class, a picture to begin with."""

from collections.abc import Iterator
from pathlib import Path

from .config import Config
from .pictures import picture_files
from .reading import dataset_rows, files_at, table_rows

Record = dict[str, str]  # where the `image` lies and, as the model asks, `text`, `label`, `source`

COLUMNS = {
    "image": ("image", "picture", "target", "file_name", "path"),
    "text": ("text", "caption", "instruction", "prompt"),
    "label": ("label", "class"),
    "source": ("source", "input", "before"),
}


def wanted_columns(config: Config) -> tuple[str, ...]:
    """What a record of this model has."""
    columns = ("image",)
    if config.condition == "text":
        columns += ("text",)
    if config.condition == "class":
        columns += ("label",)
    if config.image_condition == "picture":
        columns += ("source",)
    return columns


def read_records(config: Config, keep: Path) -> Iterator[Record]:
    """The records that `--data` names.

    A CSV or JSONL file or a folder with such files, a folder of pictures, or a Hugging Face dataset
    by name, whose pictures are written to `keep`.
    """
    path = Path(config.data)
    if path.is_file():
        yield from read_table(path, wanted_columns(config))
    elif path.is_dir():
        tables = [p for p in files_at(config.data) if p.suffix.lower() in (".csv", ".jsonl")]
        for table in tables:
            yield from read_table(table, wanted_columns(config))
        if not tables:
            yield from read_folder(path, config)
    else:
        yield from read_dataset(config.data, wanted_columns(config), keep)


def read_table(path: Path, columns: tuple[str, ...]) -> Iterator[Record]:
    """The rows of a CSV or JSONL file; paths of pictures are relative to its folder."""
    for row in table_rows(path):
        record = picked(row, columns, f'--data "{path}": a row')
        for column in ("image", "source"):
            if column in record:
                record[column] = str(path.parent / record[column])
        yield {column: str(value) for column, value in record.items()}


def picked(row: dict, columns: tuple[str, ...], what: str) -> dict:
    """The columns of a row that are wanted; `ValueError` where one is missing."""
    found = {}
    for column in columns:
        names = [name for name in COLUMNS[column] if row.get(name) is not None]
        if not names:
            raise ValueError(f"{what} needs one of {', '.join(COLUMNS[column])}")
        found[column] = row[names[0]]
    return found


def read_folder(folder: Path, config: Config) -> Iterator[Record]:
    """The pictures below a folder, as the model needs them.

    Captions are .txt files of the same name, classes the folders that pictures lie in; pictures
    to begin with lie in `sources/` under the names that the others have in `targets/`.
    """
    if config.image_condition == "picture":
        files, sources = by_name(folder / "targets"), by_name(folder / "sources")
    else:
        files = by_name(folder)
    for name in files:
        path = files[name]
        record = {"image": str(path)}
        if config.condition == "text":
            text = path.with_suffix(".txt")
            if not text.exists():
                continue
            record["text"] = text.read_text(encoding="utf-8").strip()
        if config.condition == "class":
            if path.parent == folder:
                continue
            record["label"] = path.parent.name
        if config.image_condition == "picture":
            if name not in sources:
                continue
            record["source"] = str(sources[name])
        yield record


def by_name(folder: Path) -> dict[str, Path]:
    """The pictures below a folder, by their names without the ending."""
    return {str(p.relative_to(folder).with_suffix("")): p for p in picture_files(folder)}


def read_dataset(name: str, columns: tuple[str, ...], keep: Path) -> Iterator[Record]:
    """The training split of a Hugging Face dataset."""
    keep.mkdir(parents=True, exist_ok=True)
    rows = dataset_rows(name)
    for index, row in enumerate(rows):
        record = picked(row, columns, f'--data "{name}": the dataset')
        for column in ("image", "source"):
            if column in record:
                path = keep / f"{index:08d}-{column}.png"
                record[column].convert("RGB").save(path)
                record[column] = str(path)
        if "label" in record and hasattr(rows.features.get("label"), "int2str"):
            record["label"] = rows.features["label"].int2str(record["label"])
        yield {column: str(value) for column, value in record.items()}
