"""The recurrence of Mamba-2, as matrix products over chunks."""

import torch
import torch.nn.functional as F
from torch import Tensor

CHUNK = 64  # tokens within which every pair is compared; the state carries across


def state_space_duality(
    x: Tensor, dt: Tensor, rate: Tensor, b: Tensor, c: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Outputs of h[t] = exp(dt[t] rate) h[t-1] + dt[t] x[t] b[t], y[t] = h[t] c[t], and the last h.

    Dao and Gu 2024, section 6. `x` is (B, T, H, P), `dt` (B, T, H), `rate` (H,) and negative,
    `b` and `c` (B, T, G, N), each shared by H / G heads, and `state` (B, H, P, N).
    """
    length, groups = x.size(1), b.size(2)
    size = min(CHUNK, length)
    chunks = -(-length // size)
    padding = chunks * size - length  # steps with dt = 0, which leave the state as it is
    dt = F.pad(dt.float(), (0, 0, 0, padding)).unflatten(1, (chunks, size))  # (B, C, Q, H)
    x, b, c = (
        F.pad(part.float(), (0, 0, 0, 0, 0, padding)).unflatten(1, (chunks, size)).transpose(2, 3)
        for part in (x, b, c)
    )  # (B, C, H, Q, P), (B, C, G, Q, N) twice
    dt = dt.transpose(2, 3).unsqueeze(-1)  # (B, C, H, Q, 1)
    x = x * dt
    time = (dt.squeeze(-1) * rate.unsqueeze(-1)).cumsum(-1)  # (B, C, H, Q), log decay since start

    # Within a chunk: attention whose scores decay with distance.
    later = torch.ones(size, size, dtype=torch.bool, device=x.device).triu(1)
    spans = (time.unsqueeze(-1) - time.unsqueeze(-2)).masked_fill(later, -torch.inf)
    scores = c @ b.transpose(-1, -2)  # (B, C, G, Q, Q)
    scores = scores.repeat_interleave(x.size(2) // groups, dim=2) * spans.exp()  # (B, C, H, Q, Q)
    y = scores @ x  # (B, C, H, Q, P)

    # Across chunks: what each leaves behind, and the state that each of them finds.
    faded = x * (time[..., -1:] - time).exp().unsqueeze(-1)  # (B, C, H, Q, P)
    left = by_group(faded, groups).transpose(-1, -2) @ b  # (B, C, G, H / G * P, N)
    left = left.unflatten(3, (-1, x.size(-1))).flatten(2, 3)  # (B, C, H, P, N)
    states = [state.float()]
    for kept, new in zip(time[..., -1].exp().unbind(1), left.unbind(1), strict=True):
        states.append(kept[..., None, None] * states[-1] + new)  # (B, H, P, N)
    found = torch.stack(states[:-1], dim=1)  # (B, C, H, P, N)
    found = found.unflatten(2, (groups, -1)).flatten(3, 4)  # (B, C, G, H / G * P, N)
    carried = c @ found.transpose(-1, -2)  # (B, C, G, Q, H / G * P)
    carried = carried.unflatten(-1, (-1, x.size(-1))).transpose(3, 4).flatten(2, 3)
    y = y + carried * time.exp().unsqueeze(-1)  # (B, C, H, Q, P)
    return y.transpose(2, 3).flatten(1, 2)[:, :length], states[-1]


def by_group(x: Tensor, groups: int) -> Tensor:
    """Heads of a group side by side, (B, C, H, Q, P) -> (B, C, G, Q, H / G * P)."""
    return x.unflatten(2, (groups, -1)).transpose(3, 4).flatten(4)
