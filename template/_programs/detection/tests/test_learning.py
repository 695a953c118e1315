"""The model finds what it was shown, and the metric says so."""

import torch

from PACKAGE import build_model, synthetic_batch
from PACKAGE.answers import answers, truths
from PACKAGE.eval import Score


def test_a_few_scenes_are_learned_by_heart(config):
    model, batch = build_model(config), synthetic_batch(config, 6, 0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0)
    before = Score(0.0, found(model, batch), truths(batch))
    for _ in range(250):
        optimizer.zero_grad()
        model.loss(batch).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    after = Score(0.0, found(model, batch), truths(batch))
    assert after.ap50 > 0.5 and after.ap50 > before.ap50 + 0.4


@torch.inference_mode()
def found(model, batch):
    """What the model finds in the pictures of a batch."""
    return answers(model, batch["images"])
