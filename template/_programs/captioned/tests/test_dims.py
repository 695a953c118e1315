"""The dimensions of the presets agree, and nonsense among them is refused."""

import pytest

from PACKAGE import Config


def test_presets_share_a_topology():
    full, tiny = Config.full(), Config.tiny()
    assert tiny.vision_d_model <= full.vision_d_model
    assert tiny.text_n_layers <= full.text_n_layers


@pytest.mark.parametrize(
    "wrong",
    [{"vision_n_heads": 7}, {"text_n_layers": 0}, {"image_size": 4}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_an_error_names_the_flag(wrong):
    name = next(iter(wrong))
    with pytest.raises(ValueError, match="--" + name.replace("_", "-")):
        Config.tiny(**wrong)
