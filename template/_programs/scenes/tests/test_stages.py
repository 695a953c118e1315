"""Settings of several numbers, one for each stage."""

import pytest

from PACKAGE import Config
from PACKAGE.flags import config_parser, read_config


def test_the_tiny_preset_is_no_larger():
    full, tiny = Config.full(), Config.tiny()
    assert tiny.image_size <= full.image_size and tiny.num_classes <= full.num_classes
    assert all(a <= b for a, b in zip(tiny.depths, full.depths, strict=False))
    assert all(a <= b for a, b in zip(tiny.hidden_sizes, full.hidden_sizes, strict=False))


def test_several_numbers_survive_a_file_and_the_command_line(tmp_path):
    config = Config.tiny()
    config.save(tmp_path / "config.json")
    assert Config.load(tmp_path / "config.json") == config
    depths = ",".join(map(str, config.depths))
    args = config_parser("").parse_args(["--preset", "tiny", "--depths", depths])
    assert read_config(args) == config
    with pytest.raises(SystemExit):
        config_parser("").parse_args(["--depths", "some"])
