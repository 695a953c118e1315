"""A short training beats saying the same every time."""

import sys
import wave
from dataclasses import replace

import pytest

from PACKAGE import infer
from PACKAGE.eval import evaluate
from PACKAGE.measures import character_error_rate, distance, word_error_rate
from PACKAGE.train import train


def test_training_beats_the_most_frequent_transcript(config, tmp_path, monkeypatch):
    train(replace(config, steps=130, global_batch=16, micro_batch=16))
    figures = evaluate(config.run_dir, "cpu").figures
    assert figures["cer"] < figures["trivial_cer"] - 0.1
    monkeypatch.setattr(sys, "argv", ["infer", "--device", "cpu"])
    infer.main()
    sample = (tmp_path / "results" / "sample.txt").read_text(encoding="utf-8")
    assert "after 130 steps" in sample and "said" in sample and "written" in sample
    with wave.open(str(tmp_path / "results" / "heard.wav")) as heard:
        assert heard.getframerate() == config.sample_rate and heard.getnframes() > 0
    monkeypatch.setattr(sys, "argv", ["infer", "--input", "results/heard.wav", "--device", "cpu"])
    infer.main()
    assert "heard.wav" in (tmp_path / "results" / "sample.txt").read_text(encoding="utf-8")


def test_error_rates_count_edits():
    assert distance("kitten", "sitting") == 3
    assert distance("", "abc") == 3
    assert character_error_rate(["ab", "c"], ["ab", "cd"]) == pytest.approx(1 / 4)
    assert word_error_rate(["a b c"], ["a x c d"]) == pytest.approx(2 / 4)
