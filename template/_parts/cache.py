"""What attention needs besides its input: the past, and what may be seen of it."""

import torch
from torch import Tensor
from torch.nn.attention.bias import causal_lower_right

from .config import Config
from .rotary import Rotary


class KVCache:
    """Keys and values of the tokens seen so far, preallocated for `length` of them."""

    def __init__(self, config: Config, batch_size: int, length: int, like: Tensor):
        self.config = config
        if config.windowed:
            length = min(length, config.sliding_window)  # a ring: older keys are overwritten
        if config.hybrid:
            layers = len(range(config.attn_layer_offset, config.n_layers, config.attn_layer_period))
            shape = (layers, batch_size, config.n_kv_heads, length, config.head_dim)
        else:
            shape = (config.n_layers, batch_size, config.n_kv_heads, length, config.head_dim)
        self.keys = like.new_zeros(shape)  # (L, B, G, S, K)
        self.values = like.new_zeros(shape)  # (L, B, G, S, K)
        self.seen = 0  # tokens so far; the model moves it once every layer has stored its own

    @property
    def nbytes(self) -> int:
        """Memory that it holds."""
        return self.keys.nbytes + self.values.nbytes

    def store(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Add T tokens, (B, G, T, K), and return all that they attend to, (B, G, S, K)."""
        keys, values = self.keys[layer], self.values[layer]
        start, end = self.seen, self.seen + k.size(2)
        if self.config.windowed:
            slots = torch.arange(start, end, device=k.device) % keys.size(2)
            if k.size(2) == 1:  # it replaces the key that has just left its window
                keys[:, :, slots], values[:, :, slots] = k, v
                return keys[:, :, :end], values[:, :, :end]
            # The first tokens of a run still see keys that the last ones replace.
            past = torch.arange(max(0, start - keys.size(2)), start, device=k.device) % keys.size(2)
            all_k = torch.cat((keys[:, :, past], k), dim=2)
            all_v = torch.cat((values[:, :, past], v), dim=2)
            slots = slots[-keys.size(2) :]
            keys[:, :, slots] = k[:, :, -len(slots) :]
            values[:, :, slots] = v[:, :, -len(slots) :]
            return all_k, all_v
        else:
            keys[:, :, start:end], values[:, :, start:end] = k, v
            return keys[:, :, :end], values[:, :, :end]


class Span:
    """T neighbouring tokens: where they stand and which keys each of them may see.

    `mask` is (T, S), set where a query may look; None stands for plain causal attention, and for
    a single token, which may look at everything it is given.
    """

    def __init__(self, config: Config, tokens: Tensor, cache: KVCache | None = None):
        start = 0 if cache is None else cache.seen
        length = tokens.size(1)
        self.cache = cache
        self.positions = torch.arange(start, start + length, device=tokens.device)  # (T,)
        if config.pos == "rope":
            self.rotary = Rotary(config, self.positions)
        self.mask = None
        if config.windowed:
            if length > 1 and (start > 0 or length > config.sliding_window):
                held = 0 if cache is None else min(start, cache.keys.size(3))
                keys = torch.arange(start - held, start + length, device=tokens.device)  # (S,)
                distance = self.positions[:, None] - keys  # (T, S)
                self.mask = (distance >= 0) & (distance < config.sliding_window)
        else:
            if length > 1 and start > 0:
                self.mask = causal_lower_right(length, start + length)  # never held as a matrix
