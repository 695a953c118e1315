"""The recommender: towers and losses from their definitions, one user at a time."""

import pytest

torch = pytest.importorskip("torch")

from .packages import config_of, generated_package, part  # noqa: E402

SIZES = {"num_users": 9, "num_items": 11, "feature_rows": 7, "feature_slots": 3, "id_dim": 6,
         "history_length": 5, "d_model": 16, "d_ff": 24, "n_layers": 2, "embedding_dim": 8,
         "temperature": 0.2}  # fmt: skip


@pytest.fixture
def batch():
    torch.manual_seed(0)
    held = torch.rand(6, 5) < 0.6
    held[0] = False  # somebody who never had anything
    return {
        "users": torch.randint(9, (6,)),
        "history": torch.randint(11, (6, 5)),
        "held": held,
        "items": torch.tensor([3, 4, 3, 5, 6, 7]),
        "features": torch.randint(7, (6, 3)),
        "weights": torch.rand(6, 3),
        "log_q": torch.rand(6).log(),
    }


@pytest.fixture
def model():
    torch.manual_seed(1)
    model = part("recommender").build_model(config_of(**SIZES))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


def tower(own, x):
    """A tower by its definition, one vector at a time."""
    x = own.in_proj(x)
    for block in own.blocks:
        hidden = torch.relu(block.up_proj(block.norm(x)))
        x = x + block.down_proj(hidden)
    x = own.out_proj(own.norm(x))
    return x / x.norm()


def test_towers_are_what_their_definitions_say(model, batch):
    for row in range(6):
        past = [model.item_embed.weight[i] for i, held in
                zip(batch["history"][row], batch["held"][row], strict=True) if held]  # fmt: skip
        mean = torch.stack(past).mean(dim=0) if past else torch.zeros(6)
        wanted = tower(
            model.user_tower, torch.cat((model.user_embed.weight[batch["users"][row]], mean))
        )
        torch.testing.assert_close(model.users(batch)[row], wanted, atol=1e-5, rtol=1e-5)
        told = sum(
            model.feature_embed.weight[f] * w
            for f, w in zip(batch["features"][row], batch["weights"][row], strict=True)
        )
        own = model.item_embed.weight[batch["items"][row]]
        wanted = tower(model.item_tower, torch.cat((own, told)))
        torch.testing.assert_close(model.items(batch)[row], wanted, atol=1e-5, rtol=1e-5)


def test_the_loss_is_the_corrected_sampled_softmax(model, batch):
    """Yi et al. 2019, equations 3 to 5; the two places of item 3 are not held against each other"""
    users, items = model.users(batch), model.items(batch)
    total = 0.0
    for i in range(6):
        corrected = users[i] @ items.T / 0.2 - batch["log_q"]
        others = [j for j in range(6) if j == i or batch["items"][j] != batch["items"][i]]
        total = total - corrected[i] + corrected[others].logsumexp(0)
    torch.testing.assert_close(model.loss(batch), total / 6, atol=1e-5, rtol=1e-5)


def test_the_correction_makes_samples_stand_for_all_items(model):
    """The gradient over popular samples is, on average, the one of the softmax over all items."""
    torch.manual_seed(2)
    scores = torch.randn(50)
    q = torch.softmax(2 * torch.randn(50), dim=0)
    wanted = scores.logsumexp(0)
    drawn = torch.multinomial(q, 20_000, replacement=True)
    found = (scores[drawn] - q[drawn].log()).logsumexp(0) - torch.tensor(20_000.0).log()
    torch.testing.assert_close(found, wanted, atol=0.1, rtol=0.05)


def test_generated_source_equals_the_parts(model, batch):
    config = config_of(**SIZES)
    made = generated_package("two_towers", config).build_model(config)
    made.load_state_dict(model.state_dict())
    torch.testing.assert_close(made(batch), model(batch))
    torch.testing.assert_close(made.loss(batch), model.loss(batch))
    assert len(made.blocks) == 4
