"""The model scores every picture against every text, and is a function of its seed."""

import torch

from PACKAGE import build_model, synthetic_batch


@torch.inference_mode()
def test_similarities_are_those_of_unit_vectors(config, model):
    batch = synthetic_batch(config, 3, seed=0)
    texts = model.embed_text(batch["tokens"], batch["ends"])
    pictures = model.embed_image(batch["images"])
    assert texts.shape == pictures.shape == (3, config.embed_dim)
    torch.testing.assert_close(texts.norm(dim=-1), torch.ones(3))
    similarity = model(batch)
    assert similarity.shape == (3, 3)
    best = (pictures @ texts.T).argmax(dim=1)
    assert torch.equal(similarity.argmax(dim=1), best)


@torch.inference_mode()
def test_a_pair_changes_nothing_but_its_own_row_and_column(config, model):
    batch = synthetic_batch(config, 3, seed=0)
    changed = {**batch, "images": batch["images"].clone()}
    changed["images"][2] = -changed["images"][2]
    before, after = model(batch), model(changed)
    torch.testing.assert_close(before[:2], after[:2])
    assert not torch.allclose(before[2], after[2])


def test_every_weight_is_trained(config):
    model = build_model(config)
    model.loss(synthetic_batch(config, 3, seed=0)).backward()
    assert all(p.grad is not None for p in model.parameters())
