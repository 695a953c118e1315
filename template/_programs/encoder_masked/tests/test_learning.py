"""Training restores more than token counts can, and the programs show it."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import torch

from PACKAGE import infer
from PACKAGE.codec import Codec
from PACKAGE.data import Corpus, prepare
from PACKAGE.eval import evaluate, score, unigram_score
from PACKAGE.examples import IGNORED, hide
from PACKAGE.parallel import join_workers
from PACKAGE.tokenizer import ByteTokenizer
from PACKAGE.train import train


def restore(monkeypatch, *flags):
    """Run `infer`; the text that it wrote, and the gaps."""
    monkeypatch.setattr(sys, "argv", ["infer", "--device", "cpu", *flags])
    infer.main()
    gaps = Path("results/candidates.jsonl").read_text(encoding="utf-8").splitlines()
    return Path("results/restored.txt").read_text(encoding="utf-8"), [json.loads(g) for g in gaps]


def test_a_trained_model_beats_the_unigram(config, monkeypatch):
    train(replace(config, steps=80, global_batch=16, micro_batch=16))
    figures = evaluate(config.run_dir, "cpu").figures
    assert figures["masked_accuracy"] > figures["unigram_accuracy"] + 0.1
    assert figures["pseudo_perplexity"] < figures["unigram_perplexity"] * 0.8
    text, gaps = restore(monkeypatch, "--text", "The river is o_d.")
    assert "The river is o" in text and len(gaps) == 1


def test_gaps_are_filled_before_any_training(config, monkeypatch):
    text, gaps = restore(monkeypatch)
    assert "untrained" in text and gaps and len(gaps[0]["candidates"]) == 5


def test_a_share_of_each_text_is_asked_for(config):
    codec, row = Codec(ByteTokenizer()), [257, *range(100), 258]
    changed, answers = hide(row, 0.15, codec, Random(0))
    assert len(answers) == 15 and all(row[place] == i for place, i in answers.items())
    untouched = [place for place in range(len(row)) if place not in answers]
    assert all(changed[place] == row[place] for place in untouched)
    prepare(config)
    batch = Corpus(config).train_batch(0, range(8))
    asked = batch["targets"] != IGNORED
    assert (asked <= batch["seen"]).all() and asked.any(dim=1).all()
    hidden = batch["tokens"] == codec.hidden
    assert (hidden <= asked).all() and 0.5 < hidden.sum() / asked.sum() < 1


def test_every_token_is_hidden_once(config):
    prepare(config)
    corpus = Corpus(config)
    workers = join_workers(replace(config, device="cpu"))

    class Uniform(torch.nn.Module):
        def forward(self, tokens, seen):
            return torch.zeros(*tokens.shape, 320)

    found = score(Uniform(), corpus, workers, 3)
    assert found.tokens == unigram_score(corpus, 3).tokens
    assert found.perplexity == pytest.approx(320, rel=1e-4)


def test_files_become_pieces(config, tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("All of this is plain text.\n" * 80, encoding="utf-8")
    lines = "".join(json.dumps({"text": f"line {i} of many lines"}) + "\n" for i in range(60))
    (folder / "b.jsonl").write_text(lines, encoding="utf-8")
    prepare(config := replace(config, data=str(folder), val_fraction=0.3))
    corpus = Corpus(config)
    longest = max(len(example["tokens"]) for example in [*corpus.train, *corpus.val])
    assert longest == config.text_length
