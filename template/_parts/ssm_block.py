"""One layer of a state-space model."""

from torch import Tensor, nn

from .config import Config
from .mamba import Mamba, Mamba2
from .norms import RMSNorm
from .state_cache import StateCache


class SSMBlock(nn.Module):
    """A mixer of past and present, added to the residual stream."""

    def __init__(self, config: Config, layer: int):
        super().__init__()
        self.norm = RMSNorm(config.d_model, config.norm_eps)
        if config.ssm == "mamba2":
            self.mixer = Mamba2(config, layer)
        else:
            self.mixer = Mamba(config, layer)

    def forward(self, x: Tensor, cache: StateCache | None = None) -> Tensor:
        return x + self.mixer(self.norm(x), cache)
