"""What state-space layers carry from token to token."""

from torch import Tensor

from .config import Config


class StateCache:
    """A summary of the tokens seen so far; its size does not depend on their number."""

    def __init__(self, config: Config, batch_size: int, like: Tensor):
        if config.ssm == "mamba2":
            width = config.d_inner + 2 * config.n_groups * config.d_state
            heads = (config.n_heads, config.d_inner // config.n_heads)
        else:
            width = config.d_inner
            heads = (config.d_inner,)
        if config.hybrid:
            layers = range(config.attn_layer_offset, config.n_layers, config.attn_layer_period)
            several = (config.n_layers - len(layers), batch_size)
        else:
            several = (config.n_layers, batch_size)
        self.tails = like.new_zeros(*several, width, config.d_conv - 1)  # (L, B, W, K - 1)
        self.states = like.new_zeros(*several, *heads, config.d_state)  # (L, B, E | H, P, N)
        if not config.hybrid:
            self.seen = 0  # tokens so far; the model moves it

    @property
    def nbytes(self) -> int:
        """Memory that it holds."""
        return self.tails.nbytes + self.states.nbytes
