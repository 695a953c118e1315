"""The dimensions of the presets agree, and nonsense among them is refused."""

import pytest

from PACKAGE import Config


def test_presets_share_a_topology():
    full, tiny = Config.full(), Config.tiny()
    assert tiny.d_model <= full.d_model and tiny.n_layers <= full.n_layers
    assert tiny.image_size <= full.image_size and tiny.sample_rate <= full.sample_rate


@pytest.mark.parametrize(
    "wrong",
    [{"n_heads": 7}, {"image_size": 9}, {"frames": 1}, {"code_samples": 7}, {"chunk_codes": 3}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_an_error_names_the_flag(wrong):
    name = next(iter(wrong))
    with pytest.raises(ValueError, match="--" + name.replace("_", "-")):
        Config.tiny(**wrong)
