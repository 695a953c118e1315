"""The dimensions of the presets agree, and nonsense among them is refused."""

import pytest

from PACKAGE import Config


def test_presets_share_a_topology():
    full, tiny = Config.full(), Config.tiny()
    assert tiny.d_model <= full.d_model and tiny.n_layers <= full.n_layers
    assert tiny.d_inner <= full.d_inner and tiny.d_state <= full.d_state


@pytest.mark.parametrize(
    "wrong",
    [{"d_conv": 1}, {"n_layers": 0}, {"train_length": 10**9}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_an_error_names_the_flag(wrong):
    flag = "--" + next(iter(wrong)).replace("_", "-")
    with pytest.raises(ValueError, match=flag):
        Config.tiny(**wrong)
