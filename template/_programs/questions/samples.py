"""What a question about a picture becomes for the model: token ids, and which are the answer."""

from collections.abc import Iterable
from random import Random

import torch
from torch import Tensor

from .config import Config
from .model import IGNORED
from .synthetic import scene
from .tokenizer import Tokenizer

DESCRIBE = "describe the picture"  # asked where the data have texts and no questions
SIDES = {
    "left of": ("left", "right"),
    "right of": ("right", "left"),
    "above": ("upper", "lower"),
    "below": ("lower", "upper"),
}


def written(number: int) -> dict[str, str]:
    """One of the questions that can be asked about a scene, and its answer."""
    shown, rng = scene(number), Random(f"question/{number}")
    index = rng.randrange(2)
    thing, side = (shown.first, shown.second)[index], SIDES[shown.place][index]
    asked = rng.choice(("colour", "shape", "size"))
    return {"question": f"{asked} of the {side} one?", "text": getattr(thing, asked)}


def question_of(sample: dict[str, str]) -> str:
    """What is asked about the picture of a sample."""
    return sample.get("question") or DESCRIBE


def prompt_of(question: str, tokenizer: Tokenizer) -> list[int]:
    """Token ids of a question, opened by the end token and closed by a line end."""
    return [tokenizer.end, *tokenizer.encode(question + "\n")]


def text_length(config: Config) -> int:
    """Tokens of a sample beside the patches of its picture."""
    return config.train_length - (config.image_size // config.patch_size) ** 2


def collate(
    samples: Iterable[dict[str, str]], tokenizer: Tokenizer, config: Config
) -> dict[str, Tensor]:
    """Samples as {"tokens": (B, T), "labels": (B, T)}: what follows, where it is the answer."""
    length = text_length(config)
    rows, labels = [], []
    for sample in samples:
        answer = [*tokenizer.encode(sample["text"])[: length - 2], tokenizer.end]
        prompt = prompt_of(question_of(sample), tokenizer)[: length + 1 - len(answer)]
        ids, missing = prompt + answer, length + 1 - len(prompt) - len(answer)
        rows.append(ids[:-1] + [tokenizer.end] * missing)
        labels.append([IGNORED] * (len(prompt) - 1) + answer + [IGNORED] * missing)
    return {"tokens": torch.tensor(rows), "labels": torch.tensor(labels)}


def synthetic_batch(config: Config, batch_size: int, seed: int) -> dict[str, Tensor]:
    """Random token ids and pixels in the shapes of a batch: for shapes and speed."""
    generator = torch.Generator().manual_seed(seed)
    length, side = text_length(config), config.image_size
    text = torch.randint(config.vocab_size, (batch_size, length + 1), generator=generator)
    pixels = torch.rand((batch_size, config.channels, side, side), generator=generator)
    return {"tokens": text[:, :-1], "labels": text[:, 1:], "images": pixels * 2 - 1}
