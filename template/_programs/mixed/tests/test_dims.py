"""The dimensions of the presets agree, and nonsense among them is refused."""

from dataclasses import fields

import pytest

from PACKAGE import Config

NAMES = {field.name for field in fields(Config)}
WRONG = [{"patch_size": 9999}, {"audio_patch": 9999}, {"tubelet": 9999}, {"n_layers": 0}]


def test_the_tiny_preset_is_never_larger():
    full, tiny = Config.full(), Config.tiny()
    for name in NAMES & {"d_model", "n_layers", "num_classes", "context_length", "num_points"}:
        assert getattr(tiny, name) <= getattr(full, name)


@pytest.mark.parametrize(
    "wrong", [w for w in WRONG if w.keys() <= NAMES], ids=lambda wrong: next(iter(wrong))
)
def test_an_error_names_the_flag(wrong):
    name = next(iter(wrong))
    with pytest.raises(ValueError, match="--" + name.replace("_", "-")):
        Config.tiny(**wrong)
