"""Dimensions that do not fit together are refused by name."""

import pytest

from PACKAGE import Config


def test_presets_share_a_topology():
    full, tiny = Config.full(), Config.tiny()
    assert tiny.d_model <= full.d_model and tiny.n_layers <= full.n_layers


@pytest.mark.parametrize(
    "wrong", [{"n_layers": 0}, {"text_length": 10**9}, {"text_length": 7}], ids=str
)
def test_an_error_names_the_flag(wrong):
    flag = "--" + next(iter(wrong)).replace("_", "-")
    with pytest.raises(ValueError, match=flag):
        Config.tiny(**wrong)
