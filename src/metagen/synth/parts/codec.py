"""The neural audio codec: convolutions over waveforms, a recurrent network, and codebooks.

The `length` of the codec, its encoder, quantiser and decoder is that of the waveform, in samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from .base import Flops, Numbered, Part, Repeat
from .convolution import GroupNorm, convolve
from .spectra import reconstruction_loss

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace


class WeightNorm(Part):
    """Twin of `weight_norm`: the lengths of filters and their directions (Salimans, 2016)."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.weight = Part()
        self.weight.parameter("original0", shape[0], *(1 for _ in shape[1:]))
        self.weight.parameter("original1", *shape)

    def forward(self, trace: Trace) -> Array:
        """The filters; backward keeps the lengths that their directions had."""
        length, direction = (trace.weight(self.weight, f"original{i}") for i in range(2))
        filters = trace.compute((length, direction), direction.shape)
        if filters.grad:
            trace.keep(trace.new(length.shape, filters.dtype))
        return filters


class WaveConv(Part):
    """A convolution that leaves one position of `stride`, or makes `stride` positions of one."""

    def __init__(
        self,
        dims: Mapping[str, Any],
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        *,
        dilation: int = 1,
        transposed: bool = False,
    ) -> None:
        super().__init__()
        self.stride, self.transposed = stride, transposed
        self.overlap = (kernel - 1) * dilation + 1 - stride
        self.causal, self.mirrored = dims["causal_conv"], dims["pad_mode"] == "reflect"
        ends = (in_channels, out_channels) if transposed else (out_channels, in_channels)
        self.weights = prod((*ends, kernel))
        self.conv = Part()
        if dims["codec_norm"] == "weight_norm":
            self.conv.parameter("bias", out_channels)
            self.conv.parametrizations = WeightNorm(*ends, kernel)
        else:
            self.conv.parameter("weight", *ends, kernel)
            self.conv.parameter("bias", out_channels)
            self.norm = GroupNorm(out_channels, 1)

    def after(self, length: int) -> int:
        """Positions that leave where `length` arrive."""
        return length * self.stride if self.transposed else -(-length // self.stride)

    def flops(self, batch: int, length: int) -> Flops:
        """2 · weights at every position of the shorter side."""
        positions = length if self.transposed else self.after(length)
        return Flops(2 * batch * positions * self.weights)

    def forward(self, x: Array) -> Array:
        """(B, D, N) -> (B, D', after(N)); what a transposed one makes too much is cut off."""
        length = self.after(x.shape[-1])
        made = length + self.stride if self.transposed else length
        x = self.convolved(x if self.transposed else self.padded(x), made)
        if "norm" in self.children:
            x = self.norm(x)
        return x.narrow(-1, length)

    def convolved(self, x: Array, made: int) -> Array:
        """The convolution itself, (B, D, N) -> (B, D', made)."""
        conv = self.conv
        if "norm" in self.children:
            weight = x.trace.matrix(conv)
        else:
            weight = conv.parametrizations(x.trace)
        return convolve(x, weight, (made,), transposed=self.transposed)

    def padded(self, x: Array) -> Array:
        """Positions before and after those of (B, D, N); backward keeps what it mirrors."""
        length = x.shape[-1]
        more = self.overlap + -length % self.stride
        if not self.mirrored:
            return x.pad(-1, more)
        right = 0 if self.causal else self.overlap // 2
        widest = max(self.overlap - right, right + more - self.overlap)
        short = max(0, widest + 1 - length)
        x = x.pad(-1, short)
        wide = x.trace.full("mirror", x)
        if wide.grad:
            x.trace.keep(wide)
        return wide.pad(-1, more).narrow(-1, length + more)


class Elu(Part):
    """A nonlinearity among layers."""

    def forward(self, x: Array) -> Array:
        """(B, D, N) -> the same."""
        return x.apply("elu")


class WaveBlock(Part):
    """Two convolutions around a narrower middle, beside a shortcut."""

    def __init__(self, dims: Mapping[str, Any], width: int, dilation: int) -> None:
        super().__init__()
        inner, kernel = width // dims["compress"], dims["residual_kernel"]
        self.conv1 = WaveConv(dims, width, inner, kernel, dilation=dilation)
        self.conv2 = WaveConv(dims, inner, width, 1)
        if dims["conv_shortcut"]:
            self.shortcut = WaveConv(dims, width, width, 1)

    def forward(self, x: Array) -> Array:
        """(B, D, N) -> the same."""
        y = self.conv2(self.conv1(x.apply("elu")).apply("elu"))
        return self.shortcut(x) + y if "shortcut" in self.children else x + y


def wave_blocks(dims: Mapping[str, Any], width: int) -> list[Part]:
    """The blocks of a stage, each of which looks farther than the one before."""
    growth = dims["dilation_growth"]
    return [WaveBlock(dims, width, growth**i) for i in range(dims["n_residual_layers"])]


class Lstm(Part):
    """Twin of `nn.LSTM` with equal widths; its FLOPs are not counted by PyTorch."""

    def __init__(self, width: int, n_layers: int) -> None:
        super().__init__()
        self.width, self.n_layers = width, n_layers
        for i in range(n_layers):
            for name in ("weight_ih", "weight_hh"):
                self.parameter(f"{name}_l{i}", 4 * width, width)
            for name in ("bias_ih", "bias_hh"):
                self.parameter(f"{name}_l{i}", 4 * width)

    def flops(self, batch: int, length: int) -> Flops:
        """Two products with (4 · width, width) at every position of every layer."""
        return Flops(0, batch * length * self.n_layers * 16 * self.width**2)

    def forward(self, x: Array) -> Array:
        """(B, T, width) -> the same; every step of a layer reads its recurrent weights.

        Backward keeps what a layer reads and answers, its gates and its cells (the reserve space
        of cuDNN); oneDNN, on a CPU, fifteen numbers for each feature, of which six are in fp32.
        """
        trace, (batch, length, width) = x.trace, x.shape
        step = 8 * batch * width**2
        for i in range(self.n_layers):
            gates = trace.project(
                x, self, (batch, length, 4 * width), length * step, f"weight_ih_l{i}"
            )
            x = trace.project(gates, self, (batch, length, width), step, f"weight_hh_l{i}")
            op = trace.ops[-1]
            op.times, op.moved = length, op.weights + (op.moved - op.weights) / length
            if x.grad:
                cells = ((1, x.dtype),) if trace.accelerator else ((5, x.dtype), (6, "fp32"))
                for array in (x, *(trace.new((n, *x.shape), kind) for n, kind in cells)):
                    trace.keep(array)
        return x


class WaveLstm(Part):
    """A recurrent network beside the identity."""

    def __init__(self, width: int, n_layers: int) -> None:
        super().__init__()
        self.lstm = Lstm(width, n_layers)

    def forward(self, x: Array) -> Array:
        """(B, D, N) -> the same."""
        return x + self.lstm(x.transpose(1, 2)).transpose(1, 2)


class WaveLayers(Part):
    """Layers one after the other, each at the length that the one before it leaves."""

    layers: Numbered

    def stages(self, length: int) -> Iterator[tuple[Part, int]]:
        """Every layer and the positions that it reads, of `length` positions at first."""
        for layer in self.layers.children.values():
            yield layer, length
            length = layer.after(length) if isinstance(layer, WaveConv) else length

    def flops(self, batch: int, length: int) -> Flops:
        costs = (layer.flops(batch, at) for layer, at in self.stages(length))
        return sum(costs, Flops())

    def forward(self, x: Array, *, wrapped: bool = False) -> Array:
        """The layers in order; `wrapped` ones are checkpointed where the trace says so."""
        for layer in self.layers.children.values():
            if wrapped and not isinstance(layer, Elu):
                x = x.trace.checkpointed(layer, x)
            else:
                x = layer(x)
        return x


class Encoder(WaveLayers):
    """Waveforms to frames."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width = dims["num_filters"]
        layers: list[Part] = [WaveConv(dims, dims["audio_channels"], width, dims["kernel"])]
        for ratio in reversed(dims["ratios"]):
            layers += wave_blocks(dims, width)
            layers += [Elu(), WaveConv(dims, width, 2 * width, 2 * ratio, ratio)]
            width *= 2
        layers += [WaveLstm(width, dims["n_lstm_layers"]), Elu()]
        layers.append(WaveConv(dims, width, dims["codebook_dim"], dims["last_kernel"]))
        self.layers = Numbered(*layers)


class Decoder(WaveLayers):
    """Frames to waveforms."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.hop = prod(dims["ratios"])
        width = dims["num_filters"] * 2 ** len(dims["ratios"])
        layers: list[Part] = [WaveConv(dims, dims["codebook_dim"], width, dims["kernel"])]
        layers.append(WaveLstm(width, dims["n_lstm_layers"]))
        for ratio in dims["ratios"]:
            up = WaveConv(dims, width, width // 2, 2 * ratio, ratio, transposed=True)
            layers += [Elu(), up]
            width //= 2
            layers += wave_blocks(dims, width)
        layers += [Elu(), WaveConv(dims, width, dims["audio_channels"], dims["last_kernel"])]
        self.layers = Numbered(*layers)

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, -(-length // self.hop))


class Codebook(Part):
    """Codes, and the moving averages that they are made of: buffers all of them."""

    def __init__(self, size: int, width: int, hop: int) -> None:
        super().__init__()
        self.hop = hop
        self.buffer("codes", size, width)
        self.buffer("sums", size, width)
        self.buffer("usage", size)

    def flops(self, batch: int, length: int) -> Flops:
        """The products of every frame with every code."""
        return Flops(2 * batch * -(-length // self.hop) * self.tensors["codes"].numel)

    def forward(self, frames: Array) -> Array:
        """Numbers of the codes nearest to frames, (M, W) -> (M,), in full precision.

        What codes follow frames by in training is no more than they are.
        """
        trace, codes = frames.trace, frames.trace.weight(self, "codes").float()
        lengths = codes.apply("pow").sum(1)
        shape = (frames.shape[0], codes.shape[0])
        twice = frames * 2.0
        distances = trace.compute((twice, codes), shape, "fp32", 2 * twice.numel * codes.shape[0])
        del twice
        distances = lengths + distances
        return trace.compute((distances,), frames.shape[:1], "int64")

    def look_up(self, chosen: Array) -> Array:
        """The codes themselves, (...) -> (..., W)."""
        codes = chosen.trace.weight(self, "codes")
        shape = (*chosen.shape, codes.shape[1])
        return chosen.trace.compute((codes,), shape, read=chosen.nbytes)


class ResidualQuantizer(Part):
    """Codebooks in a row."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        book = Codebook(dims["codebook_size"], dims["codebook_dim"], prod(dims["ratios"]))
        self.codebooks = Repeat(book, dims["n_codebooks"])

    def encode(self, frames: Array) -> Array:
        """Frames to codes, (B, W, T) -> (B, Q, T)."""
        rest, chosen = flat(frames), []
        for book in self.codebooks.each(frames.trace):
            chosen = [book(rest)]
            rest = rest - self.codebooks.block.look_up(chosen[-1])
        books = frames.trace.new((self.codebooks.n, *chosen[-1].shape), "int64")
        return books.view(-1, frames.shape[0], frames.shape[-1]).transpose(0, 1)

    def decode(self, codes: Array) -> Array:
        """Codes to frames, (B, Q, T) -> (B, W, T)."""
        total: Array | float = 0.0
        for _ in self.codebooks.each(codes.trace):
            total = self.codebooks.block.look_up(codes.select(1)) + total
        return total.transpose(1, 2)

    def forward(self, frames: Array) -> Array:
        """(B, W, T) -> the same in full precision; each book keeps what it reads and finds."""
        rest = flat(frames)
        total = frames.trace.new(rest.shape, "fp32")
        for book in self.codebooks.each(frames.trace):
            found = self.codebooks.block.look_up(book(rest.detach())).float()
            rest.squared_error(found)
            total, rest = total + found, rest - found
        batch, width, length = frames.shape
        total = total.view(batch, length, width).transpose(1, 2)
        return frames + (total - frames).detach()


class Codec(Part):
    """EnCodec (Défossez et al., 2022), without the discriminators that judge it in training.

    Its FLOPs are those of a way to codes and back; `decoder` alone is the way back.
    """

    #: Whether its layers are what is checkpointed.
    wrapped = True

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.channels, self.leveled = dims["audio_channels"], dims["codec_norm"] != "weight_norm"
        self.encoder = Encoder(dims)
        self.quantizer = ResidualQuantizer(dims)
        self.decoder = Decoder(dims)

    def forward(self, waveform: Array) -> Array:
        """Waveforms as they come back, (B, C, N) -> the same."""
        level = self.level(waveform)
        frames = self.quantizer(self.encoder(waveform / level, wrapped=self.wrapped))
        restored = self.decoder(frames.to(waveform.trace.weights), wrapped=self.wrapped)
        return restored.narrow(-1, waveform.shape[-1]) * level

    def encode(self, waveform: Array) -> Array:
        """Waveforms to codes, (B, C, N) -> (B, Q, T)."""
        return self.quantizer.encode(self.encoder(waveform / self.level(waveform)))

    def decode(self, codes: Array) -> Array:
        """Codes to waveforms, (B, Q, T) -> (B, C, N)."""
        return self.decoder(self.quantizer.decode(codes).to(codes.trace.weights)) * 1.0

    def level(self, waveform: Array) -> Array | float:
        """What a waveform is divided by: a number for each where layers normalise over time."""
        if not self.leveled:
            return 1.0
        mono = waveform.mean(1, keepdim=True)
        return mono.apply("pow").mean(2, keepdim=True).apply("sqrt") + 1.0

    def learn(self, waveform: Array) -> None:
        """What (B, C, N) lose on the way."""
        reconstruction_loss(self(waveform), waveform)

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The training pass over `batch` waveforms of `length` samples."""
        self.learn(trace.given(batch, self.channels, length))

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """Waveforms, which are there first, to codes and back."""
        waveform = trace.new((batch, self.channels, length))
        level = self.level(waveform)
        with trace.phase("encoder"):
            frames = self.quantizer(self.encoder(waveform / level))
        with trace.phase("decoder"):
            self.decoder(frames.to(trace.weights)) * level


def flat(frames: Array) -> Array:
    """(B, W, T) -> (B · T, W) in full precision, frame by frame."""
    batch, width, length = frames.shape
    return frames.transpose(1, 2).copy(batch * length, width).float()
