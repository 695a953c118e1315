"""The model is a function of its seed and of what it sees, and can learn."""

import pytest
import torch

from PACKAGE import build_model, synthetic_batch


@pytest.fixture
def model(config):
    return build_model(config).eval()


@torch.inference_mode()
def test_observations_do_not_influence_each_other(config, model):
    def scores(seen):
        answer = model(seen)
        return answer[0] if isinstance(answer, tuple) else answer

    seen = synthetic_batch(config, 4, 0)["observations"]
    torch.testing.assert_close(scores(seen[:1]), scores(seen)[:1], atol=1e-6, rtol=1e-4)
    assert not torch.equal(scores(seen)[0], scores(seen)[1])


def test_the_seed_decides_the_weights(config, model):
    again = build_model(config)
    pairs = zip(model.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_one_batch_can_be_learned(config):
    model, batch = build_model(config), synthetic_batch(config, 16, 0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    first = model.loss(batch).item()
    for _ in range(30):
        optimizer.zero_grad()
        loss = model.loss(batch)
        loss.backward()
        optimizer.step()
    assert loss.item() < first
