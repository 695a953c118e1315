"""The recurrence of Mamba, in parallel chunks."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def selective_scan(
    x: Tensor, dt: Tensor, rate: Tensor, b: Tensor, c: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Outputs of h[t] = exp(dt[t] rate) h[t-1] + dt[t] b[t] x[t], y[t] = c[t] h[t], and the last h.

    Gu and Dao 2023, algorithm 2. About sqrt(T) chunks run side by side from empty states; then
    the state before each chunk is carried through it: 2 sqrt(T) steps instead of T. `x` and `dt`
    are (B, T, E), `b` and `c` (B, T, N), `rate` (E, N) and negative, `state` (B, E, N).
    """
    length = x.size(1)
    size = math.isqrt(length - 1) + 1
    chunks = -(-length // size)
    padding = chunks * size - length  # steps with dt = 0, which leave the state as it is
    x, dt, b, c = (
        F.pad(part.float(), (0, 0, 0, padding)).unflatten(1, (chunks, size))
        for part in (x, dt, b, c)
    )  # (B, T, ·) -> (B, C, Q, ·)
    decay = (dt.unsqueeze(-1) * rate).exp()  # (B, C, Q, E, N)
    added = (dt * x).unsqueeze(-1) * b.unsqueeze(-2)  # (B, C, Q, E, N)
    local = [added[:, :, 0]]
    for kept, new in zip(decay.unbind(2)[1:], added.unbind(2)[1:], strict=True):
        local.append(kept * local[-1] + new)  # (B, C, E, N)
    reach = (dt.cumsum(2).unsqueeze(-1) * rate).exp()  # (B, C, Q, E, N), decay since chunk start
    states = [state.float()]
    for kept, new in zip(reach[:, :, -1].unbind(1), local[-1].unbind(1), strict=True):
        states.append(kept * states[-1] + new)  # (B, E, N)
    before = torch.stack(states[:-1], dim=1).unsqueeze(2)  # (B, C, 1, E, N)
    h = torch.stack(local, dim=2) + reach * before  # (B, C, Q, E, N)
    y = (h @ c.unsqueeze(-1)).squeeze(-1)  # (B, C, Q, E)
    return y.flatten(1, 2)[:, :length], states[-1]
