"""Frames as rows of whole numbers: each codebook quantises what the ones before it left over."""

from contextlib import AbstractContextManager, nullcontext

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config

DEAD = 0.1  # of an equal share of the frames; a code that gets less begins anew


class Codebook(nn.Module):
    """Vectors that stand for frames; they are averages of the frames that chose them lately.

    Averages decay exponentially (van den Oord et al. 2017, appendix A.1). They are buffers: no
    optimizer moves them, and checkpoints hold them.
    """

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.register_buffer("codes", torch.empty(config.codebook_size, config.codebook_dim))
        self.register_buffer("sums", torch.empty(config.codebook_size, config.codebook_dim))
        self.register_buffer("usage", torch.empty(config.codebook_size))

    def nearest(self, frames: Tensor) -> Tensor:
        """The code nearest to each frame, (M, W) -> (M,)."""
        codes = self.codes.to(frames.dtype)  # (E, W)
        with full_precision(frames.device):
            squares = codes.square().sum(dim=1) - 2 * frames @ codes.T  # (M, E), less |frame|^2
        return squares.argmin(dim=1)

    @torch.no_grad()
    def revive(self, frames: Tensor) -> None:
        """Move codes that hardly anyone chooses onto frames; before any training, that is all."""
        size, mine = len(self.codes), len(frames)
        world, rank = (dist.get_world_size(), dist.get_rank()) if dist.is_initialized() else (1, 0)
        at = torch.arange(size, device=frames.device) * (mine * world) // size - mine * rank  # (E,)
        here = (at >= 0) & (at < mine)  # other processes have the other frames
        drawn = frames[at.clamp(0, mine - 1)] * here[:, None]  # (E, W)
        if dist.is_initialized():
            dist.all_reduce(drawn)
        share = mine * world / size  # frames for each code, if they were alike
        dead = self.usage < DEAD * share  # (E,)
        self.codes.copy_(torch.where(dead[:, None], drawn, self.codes))
        self.sums.copy_(torch.where(dead[:, None], drawn * share, self.sums))
        self.usage.masked_fill_(dead, share)

    @torch.no_grad()
    def follow(self, frames: Tensor, chosen: Tensor) -> None:
        """Move every code towards the frames that chose it, in all processes alike."""
        ones = torch.ones_like(frames[:, 0])
        hits = torch.zeros_like(self.usage).index_add_(0, chosen, ones)  # (E,)
        sums = torch.zeros_like(self.sums).index_add_(0, chosen, frames)  # (E, W)
        if dist.is_initialized():
            dist.all_reduce(hits)
            dist.all_reduce(sums)
        self.usage.lerp_(hits, 1 - self.config.codebook_decay)
        self.sums.lerp_(sums, 1 - self.config.codebook_decay)
        self.codes.copy_(self.sums / self.usage.clamp(min=1e-5)[:, None])


class ResidualQuantizer(nn.Module):
    """Codebooks in a row."""

    def __init__(self, config: Config):
        super().__init__()
        self.codebooks = nn.ModuleList(Codebook(config) for _ in range(config.n_codebooks))

    def encode(self, frames: Tensor) -> Tensor:
        """(B, W, T) -> codes (B, Q, T)."""
        rest = flat(frames)  # (M, W)
        chosen = []
        for book in self.codebooks:
            chosen.append(book.nearest(rest))
            rest = rest - F.embedding(chosen[-1], book.codes)
        return torch.stack(chosen).view(-1, len(frames), frames.size(-1)).transpose(0, 1)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (B, Q, T), of all codebooks or the first few, -> (B, W, T)."""
        rows = zip(codes.unbind(dim=1), self.codebooks, strict=False)
        return sum(F.embedding(row, book.codes) for row, book in rows).transpose(1, 2)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Quantised frames (B, W, T), and how far the frames are from their codes.

        Gradients pass the quantiser as if it were not there. In training mode codebooks follow.
        """
        rest = flat(frames)  # (M, W)
        distance = torch.zeros((), device=frames.device)
        total = torch.zeros_like(rest)
        for book in self.codebooks:
            if self.training:
                book.revive(rest.detach())
            chosen = book.nearest(rest.detach())  # (M,)
            found = F.embedding(chosen, book.codes).to(rest.dtype)  # (M, W)
            if self.training:
                book.follow(rest.detach(), chosen)
            distance = distance + F.mse_loss(rest, found)
            total, rest = total + found, rest - found
        batch, width, length = frames.shape
        total = total.view(batch, length, width).transpose(1, 2)
        return frames + (total - frames).detach(), distance / len(self.codebooks)


def full_precision(device: torch.device) -> AbstractContextManager:
    """Autocast switched off where there is one: near codes differ in the last bits."""
    if torch.amp.is_autocast_available(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


def flat(frames: Tensor) -> Tensor:
    """(B, W, T) -> (M, W) in full precision, frame by frame."""
    return frames.transpose(1, 2).flatten(0, 1).float()
