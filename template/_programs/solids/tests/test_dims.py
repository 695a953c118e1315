"""The dimensions of the presets agree, and nonsense among them is refused."""

import pytest

from PACKAGE import Config


def test_presets_share_a_topology():
    full, tiny = Config.full(), Config.tiny()
    assert tiny.d_model <= full.d_model and tiny.n_layers <= full.n_layers
    assert tiny.sampling_steps <= full.sampling_steps


@pytest.mark.parametrize(
    "wrong",
    [{"n_heads": 7}, {"d_model": 66}, {"sampling_steps": 10**6}, {"sampling_steps": 0}],
    ids=str,
)
def test_an_error_names_the_flag(wrong):
    name = next(iter(wrong))
    with pytest.raises(ValueError, match="--" + name.replace("_", "-")):
        Config.tiny(**wrong)
