"""What a mixture of experts promises beyond the logits of its library twins."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from .packages import build_generated, config_of, part  # noqa: E402

EXPERTS = {"moe": True, "n_experts": 4, "experts_per_token": 2}


def batch_of(length=33):
    return {"tokens": torch.randint(320, (2, length), generator=torch.Generator().manual_seed(0))}


def test_training_adds_the_balance_loss_of_the_library_and_evaluation_does_not():
    from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

    _, model = build_generated(config_of(**EXPERTS))
    gates = []
    for block in model.blocks:
        block.mlp.router.register_forward_hook(lambda m, i, logits: gates.append(logits))
    batch = batch_of()
    trained = model.loss(batch)
    theirs = load_balancing_loss_func(tuple(gates), 4, top_k=2)
    # The library counts k visits of a token as k, so that an even use is worth k instead of 1.
    expected = model.eval().loss(batch) + 0.01 * theirs / 2
    torch.testing.assert_close(trained, expected)


def test_every_expert_gets_a_gradient_even_where_nothing_visits_it():
    _, model = build_generated(config_of(**EXPERTS))
    with torch.no_grad():
        for block in model.blocks:
            block.mlp.router.weight.zero_()  # all odds are equal: the same two experts for all
    model.loss(batch_of()).backward()
    assert all(p.grad is not None for p in model.parameters())
    used = [bool(e.up_proj.weight.grad.any()) for e in model.blocks[0].mlp.experts]
    assert sum(used) == 2


@torch.inference_mode()
def test_it_is_the_weighted_sum_of_the_chosen_experts():
    moe = part("moe").MixtureOfExperts(config_of(**EXPERTS)).eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in moe.parameters():
        torch.nn.init.normal_(parameter, std=0.1, generator=generator)
    x = torch.randn(3, 7, 64, generator=generator)
    odds = moe.router(x).softmax(-1)
    weights, chosen = odds.topk(2, dim=-1)
    weights = weights / weights.sum(-1, keepdim=True)
    every = torch.stack([expert(x) for expert in moe.experts], dim=2)  # (B, T, E, D)
    picked = every.gather(2, chosen[..., None].expand(-1, -1, -1, 64))
    torch.testing.assert_close(moe(x), (picked * weights[..., None]).sum(2), atol=1e-5, rtol=1e-4)


def test_a_short_training_evens_out_the_use_of_the_experts():
    code, model = build_generated(config_of(**EXPERTS, balance_weight=1.0))
    with torch.no_grad():
        for block in model.blocks:
            block.mlp.router.weight.mul_(20)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    batch, imbalances = batch_of(65), []
    for _ in range(60):
        loss = model.loss(batch)
        imbalances.append(code.imbalance(model.blocks).item())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert max(imbalances) > 1.05 and imbalances[-1] < 1.01
