"""Reading sounds and what is said about them."""

from collections.abc import Iterator
from pathlib import Path

from .reading import dataset_rows, files_at, table_rows
from .wav import write_wav

TABLES = (".csv", ".jsonl")
SOUND_KEYS = ("audio", "sound", "file_name", "path", "filepath", "wav")
TEXT_KEYS = ("text", "caption", "sentence", "prompt", "transcript", "description")


def read_records(data: str, keep: Path) -> Iterator[dict[str, str]]:
    """The records of `--data`: `sound`, a WAV file, and `text`, empty where nothing is said.

    A CSV or JSONL file, a folder with such files, a folder of WAV files with a .txt beside each,
    or a Hugging Face dataset by name, whose sounds are written to `keep`.
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
    """The rows of a CSV or JSONL file; its paths are relative to its folder."""
    for row in table_rows(path):
        sound = pick(row, SOUND_KEYS)
        if sound is None:
            raise ValueError(f'--data "{path}": a row needs one of {", ".join(SOUND_KEYS)}')
        yield {"sound": str(path.parent / sound), "text": str(pick(row, TEXT_KEYS) or "")}


def pick(row: dict, keys: tuple[str, ...]):
    """The value of the first of `keys` that a row has."""
    return next((row[key] for key in keys if row.get(key)), None)


def read_folder(folder: Path) -> Iterator[dict[str, str]]:
    """Every WAV file, with the text of the .txt of the same name beside it."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() == ".wav" and path.is_file():
            beside = path.with_suffix(".txt")
            text = beside.read_text(encoding="utf-8").strip() if beside.exists() else ""
            yield {"sound": str(path), "text": text}


def read_dataset(name: str, keep: Path) -> Iterator[dict[str, str]]:
    """The training split of a Hugging Face dataset with a column of sounds."""
    import torch

    keep.mkdir(parents=True, exist_ok=True)
    for index, row in enumerate(dataset_rows(name)):
        sound = pick(row, SOUND_KEYS)
        if sound is None:
            raise ValueError(f'--data "{name}": the dataset has no column of sounds')
        samples = torch.as_tensor(sound["array"], dtype=torch.float32)
        path = keep / f"{index:08d}.wav"
        write_wav(path, samples.flatten(), sound["sampling_rate"])
        yield {"sound": str(path), "text": str(pick(row, TEXT_KEYS) or "")}
