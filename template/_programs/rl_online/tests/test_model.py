"""The model is a function of its seed and of what it sees, and can learn."""

import torch
from helpers import learn

from PACKAGE import build_model, synthetic_batch


@torch.inference_mode()
def test_observations_do_not_influence_each_other(config, model):
    def scores(seen):
        answer = model(seen)
        return answer[0] if isinstance(answer, tuple) else answer

    seen = synthetic_batch(config, 4, 0)["observations"]
    torch.testing.assert_close(scores(seen[:1]), scores(seen)[:1], atol=1e-6, rtol=1e-4)
    assert not torch.equal(scores(seen)[0], scores(seen)[1])


def test_one_batch_can_be_learned(config):
    losses = learn(build_model(config), synthetic_batch(config, 16, 0), steps=30, rate=1e-3)
    assert losses[-1] < losses[0]
