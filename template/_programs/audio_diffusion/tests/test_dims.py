"""The dimensions of the presets agree, and nonsense among them is refused."""

import pytest

from PACKAGE import Config


def test_presets_share_a_topology():
    full, tiny = Config.full(), Config.tiny()
    assert tiny.n_layers <= full.n_layers
    assert tiny.d_model <= full.d_model
    assert tiny.frames <= full.frames
    assert tiny.latent_channels <= full.latent_channels
    assert len(tiny.ratios) == len(full.ratios)


@pytest.mark.parametrize(
    "wrong",
    [
        {"frames": 0},
        {"n_layers": 0},
        {"codec_share": 2.0},
        {"d_model": 7},
        {"sampling_steps": 9999},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_an_error_names_the_flag(wrong):
    name = next(iter(wrong))
    with pytest.raises(ValueError, match="--" + name.replace("_", "-")):
        Config.tiny(**wrong)
