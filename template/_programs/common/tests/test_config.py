"""The configuration refuses what does not fit together, and its flags explain themselves."""

import json
from dataclasses import fields

import pytest
from wrong import WRONG

from PACKAGE import Config
from PACKAGE.flags import config_parser, read_config

NAMES = {field.name for field in fields(Config)}
SIZES = set(
    "d_model d_ff d_inner d_state n_layers n_decoder_layers text_n_layers vision_d_model "
    "context_length num_classes image_size frames sample_rate latent_channels num_points "
    "num_filters n_lstm_layers n_codebooks codebook_dim codebook_size lookback horizon "
    "num_variables node_features num_nodes sampling_steps".split()
)


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
    ("name", "value"),
    [
        ("steps", 0),
        ("micro_batch", 5),
        ("warmup_steps", 10**9),
        ("min_learning_rate", 1.0),
        ("val_fraction", 0.0),
        ("seed", -1),
        ("precision", "fp8"),
        *WRONG,
    ],
)
def test_an_error_names_the_flag(name, value):
    with pytest.raises(ValueError, match="--" + name.replace("_", "-")):
        Config.tiny(**{name: value})


def test_the_tiny_preset_is_never_larger():
    full, tiny = Config.full(), Config.tiny()
    for name in SIZES & NAMES:
        assert getattr(tiny, name) <= getattr(full, name), name
    for name in NAMES:
        if isinstance(getattr(full, name), tuple):
            assert len(getattr(tiny, name)) <= len(getattr(full, name)), name


def test_presets_share_a_topology():
    full, tiny = Config.full(), Config.tiny()
    if {"n_heads", "n_kv_heads"} <= NAMES:
        assert (tiny.n_heads > tiny.n_kv_heads) == (full.n_heads > full.n_kv_heads)
    if "ratios" in NAMES:
        assert len(tiny.ratios) == len(full.ratios)


def test_every_setting_is_a_flag_with_help():
    text = " ".join(config_parser("").format_help().split())
    for name in NAMES:
        assert f"--{name.replace('_', '-')}" in text
    assert "Samples of an optimizer step" in text


def test_flags_override_the_preset():
    args = config_parser("").parse_args(["--preset", "tiny", "--seed", "0", "--compile"])
    assert read_config(args) == Config.tiny(seed=0, compile=True)
