"""The built-in interactions: some items are popular, and users have tastes.

Users and items have a few hidden factors, and a user's next item is drawn by how popular it is and
how well the factors agree. What is told of an item is the factor in which it is strongest, and a
price that says nothing.
"""

import torch

from .config import Config

MOST_USERS, MOST_ITEMS = 1000, 300
FACTORS = 6
SKEW = 0.7  # exponent of popularity: the item of rank r is drawn as r ** -SKEW
TASTE = 2.5  # how much agreement counts beside popularity
EACH = 20  # interactions of a user


def built_in(config: Config) -> tuple[list[tuple[str, str]], dict[str, dict[str, str]]]:
    """Pairs of user and item, oldest first, and what is told of each item."""
    generator = torch.Generator().manual_seed(config.seed)
    users, items = min(config.num_users, MOST_USERS), min(config.num_items, MOST_ITEMS)
    tastes = torch.randn(users, FACTORS, generator=generator)
    traits = torch.randn(items, FACTORS, generator=generator)
    prices = torch.rand(items, generator=generator).tolist()
    popularity = -SKEW * torch.arange(1, items + 1).log()
    agreement = tastes @ traits.T / FACTORS**0.5  # (users, items)
    luck = -torch.empty(users, items).exponential_(generator=generator).log()
    drawn = (popularity + TASTE * agreement + luck).topk(min(EACH, items), dim=1).indices
    order = torch.rand(drawn.shape, generator=generator).argsort(dim=1)
    rows = drawn.gather(1, order).tolist()
    pairs = [(f"user {u}", f"item {i}") for u, row in enumerate(rows) for i in row]
    kinds = traits.argmax(dim=1).tolist()
    told = {
        f"item {i}": {"kind": f"kind {kind}", "price": f"{price:.2f}"}
        for i, (kind, price) in enumerate(zip(kinds, prices, strict=True))
    }
    return pairs, told
