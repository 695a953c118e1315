"""The dimensions of the presets agree, and nonsense among them is refused."""

import pytest

from PACKAGE import Config


def test_presets_share_a_topology():
    full, tiny = Config.full(), Config.tiny()
    assert tiny.vision_d_model <= full.vision_d_model and tiny.d_model <= full.d_model
    assert (tiny.n_heads > tiny.n_kv_heads) == (full.n_heads > full.n_kv_heads)


@pytest.mark.parametrize(
    "wrong",
    [{"vision_n_heads": 7}, {"n_kv_heads": 3}, {"image_size": 4}, {"train_length": 16}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_an_error_names_the_flag(wrong):
    name = next(iter(wrong))
    with pytest.raises(ValueError, match="--" + name.replace("_", "-")):
        Config.tiny(**wrong)
