"""A generator of sound: a codec that turns sound into codes and back, and a language model of them.

Shapes are written in letters:

    B  sounds in the batch           T  frames of a sound
    N  samples of a sound            U  steps, T + Q - 1
    Q  codebooks                     S  states that the language model attends to
    C  codes of a codebook           D  features of the language model
"""

import math

import torch
from torch import Tensor, nn

from .chroma import PITCHES, chroma
from .code_lm import UNKNOWN, CodeLM, sinusoids
from .codec import Codec
from .config import Config
from .prompt_encoder import PromptEncoder, seen_tokens, without_text


class AudioGenerator(nn.Module):
    """The networks of the release, and what joins them."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        if config.conditioned:
            self.text_encoder = PromptEncoder(config)
        self.codec = Codec(config)
        self.lm = CodeLM(config)
        if config.conditioned:
            self.text_proj = nn.Linear(config.text_d_model, config.d_model)
        if config.melodic:
            self.melody_proj = nn.Linear(PITCHES, config.d_model)

    @property
    def blocks(self) -> list[nn.Module]:
        """Every layer of every transformer."""
        if self.config.conditioned:
            return [*self.text_encoder.blocks, *self.lm.blocks]
        else:
            return list(self.lm.blocks)

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, weight in (*self.named_buffers(), *self.named_parameters()):
            self.init_weight(name, weight, generator)

    @torch.no_grad()
    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`; those that write to a residual stream start smaller."""
        network, _, rest = name.partition(".")
        if network == "codec":
            self.codec.init_weight(rest, weight, generator)
        elif network == "text_encoder":
            self.text_encoder.init_weight(rest, weight, generator)
        elif name.endswith("bias"):
            nn.init.zeros_(weight)
        elif "norm" in name:
            nn.init.ones_(weight)
        else:
            std = weight.size(1) ** -0.5
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                std = std / math.sqrt(3 * self.config.n_layers)
            nn.init.normal_(weight, std=std, generator=generator)

    def scores(self, codes: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """Scores of the codes that follow delayed ones, (B, Q, U) -> (B, Q, U, C)."""
        if self.config.conditioned:
            return self.lm(codes, condition(self, batch))
        else:
            return self.lm(codes)

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """What training minimises; see `forward`."""
        return self(batch)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Nats per code of the sounds in `batch["waveform"]`, (B, 1, N).

        While the batch holds `train_codec`, the codec learns too: its own loss is added, and no
        gradient of the language model reaches it.
        """
        waveform = batch["waveform"]
        with torch.no_grad():
            codes = self.codec.encode(waveform)  # (B, Q, T)
        if self.config.conditioned:
            loss = self.lm.loss(codes, condition(self, batch))
        else:
            loss = self.lm.loss(codes)
        if "train_codec" in batch:
            loss = loss + self.codec.loss(waveform)
        return loss

    @torch.inference_mode()
    def generate(
        self,
        batch: dict[str, Tensor],
        frames: int,
        temperature: float = 1.0,
        top_k: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Sounds of so many frames for the rows of a batch, (B, 1, N).

        `temperature` 0 takes the likeliest codes; `top_k` leaves out all but so many.
        """
        size, device = len(next(iter(batch.values()))), self.lm.norm.weight.device
        shape, how = (size, self.config.n_codebooks, frames), (temperature, top_k, generator)
        codes = torch.full(shape, UNKNOWN, device=device)  # (B, Q, T)
        if self.config.conditioned:
            memory, nothing, guidance = condition(self, batch), None, self.config.guidance_scale
            if guidance != 1.0:
                dropped = torch.ones(size, dtype=torch.bool, device=device)
                nothing = condition(self, {**batch, "dropped": dropped})
            drawn = self.lm.generate(codes, *how, memory, nothing, guidance)
        else:
            known = self.codec.encode(batch["opening"])[:, :, :frames]  # (B, Q, T')
            codes[:, :, : known.size(2)] = known
            drawn = self.lm.generate(codes, *how)
        return self.codec.decode(drawn)


def condition(model: AudioGenerator, batch: dict[str, Tensor]) -> Tensor:
    """What the language model attends to, (B, S, D); nothing is said where `dropped` is set."""
    tokens = batch["tokens"]  # (B, words)
    if "dropped" in batch:
        tokens = without_text(tokens, batch["dropped"])
    text = model.text_proj(model.text_encoder(tokens))  # (B, words, D)
    text = text * seen_tokens(tokens)[..., None]  # what only fills a row is nothing
    if model.config.melodic:
        stride = model.config.melody_stride  # frames from one position to the next
        hop = stride * model.codec.hop
        notes = chroma(batch["melody"][:, 0], model.config.sample_rate, hop)  # (B, pitches, 12)
        if "dropped" in batch:
            notes = notes * ~batch["dropped"][:, None, None]
        notes = model.melody_proj(notes.to(model.melody_proj.weight.dtype))  # (B, pitches, D)
        places = stride * torch.arange(notes.size(1), device=notes.device)  # in frames
        notes = notes + sinusoids(places, model.config.d_model).to(notes.dtype)
        return torch.cat((text, notes), dim=1)
    else:
        return text


def build_model(config: Config) -> AudioGenerator:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = AudioGenerator(config)
    weight = model.lm.norm.weight
    if not weight.is_meta:
        model.init_weights(torch.Generator(weight.device).manual_seed(config.seed))
    return model
