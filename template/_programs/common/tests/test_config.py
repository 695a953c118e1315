"""The configuration refuses what does not fit together, and its flags explain themselves."""

import json
from dataclasses import fields

import pytest

from PACKAGE import Config
from PACKAGE.flags import config_parser, read_config


def test_a_saved_configuration_is_the_same(tmp_path):
    config = Config.tiny(seed=0)
    config.save(tmp_path / "config.json")
    assert Config.load(tmp_path / "config.json") == config


def test_unknown_keys_are_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"d_modle": 1}), encoding="utf-8")
    with pytest.raises(ValueError, match="d_modle"):
        Config.load(tmp_path / "config.json")
    with pytest.raises(TypeError, match="d_modle"):
        Config.tiny(d_modle=1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"micro_batch": 5},
        {"warmup_steps": 10**9},
        {"min_learning_rate": 1.0},
        {"val_fraction": 0.0},
        {"seed": -1},
        {"precision": "fp8"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_an_error_names_the_flag(wrong):
    flag = "--" + next(iter(wrong)).replace("_", "-")
    with pytest.raises(ValueError, match=flag):
        Config.tiny(**wrong)


def test_every_setting_is_a_flag_with_help():
    text = " ".join(config_parser("").format_help().split())
    for field in fields(Config):
        assert f"--{field.name.replace('_', '-')}" in text
    assert "Samples of an optimizer step" in text


def test_flags_override_the_preset():
    args = config_parser("").parse_args(["--preset", "tiny", "--seed", "0", "--compile"])
    assert read_config(args) == Config.tiny(seed=0, compile=True)
