"""Any inputs as one sequence with the queries of any outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil
from typing import TYPE_CHECKING, Any

from ..arrays import SIZES, concatenate
from ..trace import given
from .attention import Span
from .audio import LogMel, SpectrogramPatches
from .base import Embedding, Flops, Linear, Part, Repeat
from .convolution import Conv2d
from .encoder_decoder import DecoderBlock
from .graph import SageConv
from .norms import Norm, unit
from .tabular import contrast
from .video import TubeletEmbed
from .vision import VitBlock

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace

#: The switches of the inputs, in the order of their tokens, and of the outputs.
READS = ("reads_text", "reads_image", "reads_audio", "reads_video", "reads_time_series",
         "reads_tabular", "reads_state", "reads_3d", "reads_graph")  # fmt: skip
GIVES = ("gives_text", "gives_label", "gives_action", "gives_value", "gives_tabular",
         "gives_state", "gives_embedding", "gives_time_series", "gives_bounding_boxes",
         "gives_3d", "gives_graph", "gives_image", "gives_segmentation_mask", "gives_audio",
         "gives_video")  # fmt: skip
MOST_NUMBER_TOKENS = 128  # longer rows of numbers share tokens
DEGREE = 4  # edges of a node, where costs depend on them


def spans(dims: Mapping[str, Any]) -> dict[str, int]:
    """Tokens of every input that is read, by its switch."""
    patch, audio = dims["patch_size"], dims["audio_patch"]
    counts = {
        "reads_text": dims["max_pos"],
        "reads_image": (dims["image_size"] // patch) ** 2,
        "reads_audio": (dims["n_mels"] // audio) * (dims["n_frames"] // audio),
        "reads_video": dims["frames"] // dims["tubelet"] * (dims["image_size"] // patch) ** 2,
        "reads_time_series": dims["lookback"] // dims["series_patch"],
        "reads_tabular": number_tokens(dims["num_features"])[0],
        "reads_state": number_tokens(dims["state_dim"])[0],
        "reads_3d": dims["num_points"],
        "reads_graph": dims["num_nodes"],
    }
    return {name: counts[name] for name in READS if dims[name]}


def number_tokens(numbers: int) -> tuple[int, int]:
    """Tokens of a row of numbers, and how many share one."""
    each = ceil(numbers / MOST_NUMBER_TOKENS)
    return ceil(numbers / each), each


def queries(dims: Mapping[str, Any]) -> dict[str, int]:
    """Queries of every output that is given but text, by its switch."""
    patches = ceil(dims["image_size"] / dims["patch_size"]) ** 2
    counts = {
        "gives_time_series": ceil(dims["horizon"] / dims["series_patch"]),
        "gives_bounding_boxes": dims["max_objects"],
        "gives_3d": ceil(dims["num_points"] / dims["point_group"]),
        "gives_graph": dims["num_nodes"],
        "gives_image": patches,
        "gives_segmentation_mask": patches,
        "gives_audio": ceil(dims["n_frames"] / dims["audio_patch"]),
        "gives_video": ceil(dims["frames"] / dims["tubelet"]) * patches,
    }
    return {name: counts.get(name, 1) for name in GIVES[1:] if dims[name]}


def positions(dims: Mapping[str, Any]) -> int:
    """Length of the sequence: tokens of every input, and queries."""
    return sum(spans(dims).values()) + sum(queries(dims).values())


def widths(dims: Mapping[str, Any]) -> dict[str, int]:
    """Numbers that one query of each output is answered with."""
    pixels = dims["patch_size"] ** 2
    discrete = dims["actions"] == "discrete"
    return {
        "gives_label": dims["num_classes"],
        "gives_action": dims["num_actions"] if discrete else dims["action_dim"],
        "gives_value": dims["num_targets"],
        "gives_tabular": dims["num_features"],
        "gives_state": dims["state_dim"],
        "gives_embedding": dims["embedding_dim"],
        "gives_time_series": dims["series_patch"] * dims["num_variables"],
        "gives_bounding_boxes": 5,
        "gives_3d": 3 * dims["point_group"],
        "gives_graph": dims["node_features"] + 1,
        "gives_image": dims["channels"] * pixels,
        "gives_segmentation_mask": dims["mask_dim"] * pixels,
        "gives_audio": dims["n_mels"] * dims["audio_patch"],
        "gives_video": dims["tubelet"] * dims["channels"] * pixels,
    }


class Fixed(Part):
    """A part over its own number of positions, whatever the length of the sequence."""

    def __init__(self, positions: int) -> None:
        super().__init__()
        self.positions = positions

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, self.positions)


class TextTokens(Part):
    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.parameter("pos_embed", dims["max_pos"], dims["d_model"])
        self.embed = Embedding(dims["vocab_size"], dims["d_model"])

    def forward(self, tokens: Array) -> Array:
        """(B, S) -> (B, S, D)."""
        return self.embed(tokens) + tokens.trace.weight(self, "pos_embed")


class ImagePatches(Part):
    def __init__(self, dims: Mapping[str, Any], count: int) -> None:
        super().__init__()
        size, patch = (dims["image_size"],) * 2, dims["patch_size"]
        self.parameter("pos_embed", count, dims["d_model"])
        self.proj = Conv2d(dims["channels"], dims["d_model"], patch, size, stride=patch)

    def forward(self, images: Array) -> Array:
        """(B, C, Y, X) -> (B, N, D)."""
        x = self.proj(images.to(images.trace.weights)).flatten(2).transpose(1, 2)
        return x + x.trace.weight(self, "pos_embed")


class SoundPatches(Part):
    def __init__(self, dims: Mapping[str, Any], count: int) -> None:
        super().__init__()
        self.parameter("pos_embed", count, dims["d_model"])
        self.log_mel = LogMel(dims["n_mels"], dims["n_frames"], dims["sample_rate"])
        self.proj = SpectrogramPatches(dims["d_model"], dims["audio_patch"], count)

    def forward(self, waveform: Array) -> Array:
        """(B, I) -> (B, N, D)."""
        trace, sound = waveform.trace, self.log_mel(waveform).unsqueeze(1)
        return self.proj(sound.to(trace.weights)) + trace.weight(self, "pos_embed")


class VideoTubelets(Part):
    def __init__(self, dims: Mapping[str, Any], count: int) -> None:
        super().__init__()
        self.parameter("pos_embed", count, dims["d_model"])
        sizes = (dims[k] for k in ("channels", "d_model", "tubelet", "patch_size"))
        self.proj = TubeletEmbed(*sizes, count)

    def forward(self, video: Array) -> Array:
        """(B, Z, C, Y, X) -> (B, N, D)."""
        x = self.proj(video.transpose(1, 2).to(video.trace.weights))
        return x + x.trace.weight(self, "pos_embed")


class SeriesPatches(Fixed):
    def __init__(self, dims: Mapping[str, Any], count: int) -> None:
        super().__init__(count)
        self.parameter("pos_embed", count, dims["d_model"])
        self.proj = Linear(dims["series_patch"] * dims["num_variables"], dims["d_model"], True)

    def forward(self, series: Array) -> Array:
        """(B, W, V) -> (B, N, D)."""
        width = self.proj.tensors["weight"].shape[1]
        steps = self.positions * width // series.shape[2]
        patches = series.narrow(1, steps).view(-1, self.positions, width)
        return self.proj(patches) + series.trace.weight(self, "pos_embed")


class NumberTokens(Part):
    """Feature tokens (Gorishniy et al., 2021, section 3.3); long rows share them."""

    def __init__(self, numbers: int, d_model: int) -> None:
        super().__init__()
        tokens, each = number_tokens(numbers)
        self.parameter("weight", tokens, each, d_model)
        self.parameter("pos_embed", tokens, d_model)

    def flops(self, batch: int, length: int) -> Flops:
        return Flops(2 * batch * self.tensors["weight"].numel)

    def forward(self, numbers: Array) -> Array:
        """(B, J) -> (B, N, D)."""
        trace, (tokens, each, _) = numbers.trace, self.tensors["weight"].shape
        groups = numbers.pad(1, tokens * each - numbers.shape[1]).unflatten(1, (tokens, each))
        x = groups.to(trace.weights).transpose(0, 1) @ trace.matrix(self)
        return x.transpose(0, 1) + trace.weight(self, "pos_embed")


class PointTokens(Fixed):
    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__(dims["num_points"])
        self.up_proj = Linear(3, dims["d_model"], True)
        self.down_proj = Linear(dims["d_model"], dims["d_model"], True)

    def forward(self, points: Array) -> Array:
        """(B, P, 3) -> (B, P, D)."""
        return self.down_proj(self.up_proj(points).apply("gelu"))


class NodeTokens(Part):
    """A projection and two rounds of messages, which one node more than there are takes part in."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.nodes, width = dims["num_nodes"], dims["d_model"]
        self.proj = Linear(dims["node_features"], width, True)
        self.convs = Repeat(SageConv(width, width, DEGREE), 2)

    def flops(self, batch: int, length: int) -> Flops:
        read = self.proj.flops(batch, self.nodes)
        return read + self.convs.flops(1, batch * self.nodes + 1)

    def forward(self, nodes: Array, present: Array) -> Array:
        """(B, N, A), of which some are (B, N) -> (B, N, D)."""
        trace, (batch, count) = nodes.trace, present.shape
        x = self.proj(nodes).flatten(0, 1)
        x = concatenate((x, trace.new((1, x.shape[1]), x.dtype)), 0)
        numbers = trace.new((2, DEGREE * batch * count), "int64")
        trace.keep(numbers)
        for conv in self.convs.each(trace):
            x = x + conv(x).apply("gelu")
        x = x.narrow(0, batch * count).unflatten(0, (batch, count))
        return x * present.unsqueeze(-1).to(x.dtype)


class Inputs(Part):
    """One adapter for each input that is read."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        count, width = spans(dims), dims["d_model"]
        if dims["reads_text"]:
            self.text = TextTokens(dims)
        if dims["reads_image"]:
            self.image = ImagePatches(dims, count["reads_image"])
        if dims["reads_audio"]:
            self.audio = SoundPatches(dims, count["reads_audio"])
        if dims["reads_video"]:
            self.video = VideoTubelets(dims, count["reads_video"])
        if dims["reads_time_series"]:
            self.time_series = SeriesPatches(dims, count["reads_time_series"])
        if dims["reads_tabular"]:
            self.tabular = NumberTokens(dims["num_features"], width)
        if dims["reads_state"]:
            self.state = NumberTokens(dims["state_dim"], width)
        if dims["reads_3d"]:
            self.points = PointTokens(dims)
        if dims["reads_graph"]:
            self.graph = NodeTokens(dims)

    def forward(self, batch: Mapping[str, Array]) -> Array:
        """Tokens of everything that is read, (B, N, D)."""
        pieces = [
            part(batch[name], batch["present"]) if name == "graph" else part(batch[name])
            for name, part in self.children.items()
        ]
        return concatenate(pieces, 1)


#: The attribute of each output's head.
HEADS = {"gives_bounding_boxes": "boxes", "gives_3d": "points", "gives_graph": "nodes",
         "gives_segmentation_mask": "mask"}  # fmt: skip


class Outputs(Part):
    """Learned queries and a head for each output that is given but text."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.dims, self.asked = dims, queries(dims)
        self.parameter("queries", sum(self.asked.values()), dims["d_model"])
        size = (dims["image_size"],) * 2
        for name, width in widths(dims).items():
            if dims[name]:
                head = Linear(dims["d_model"], width, True)
                setattr(self, HEADS.get(name, name.removeprefix("gives_")), head)
            if dims[name] and name == "gives_graph":
                self.edges = Linear(dims["d_model"], dims["d_model"], True)
            if dims[name] and name == "gives_segmentation_mask":
                self.mask_classes = Conv2d(dims["mask_dim"], dims["num_classes"], 1, size)

    def flops(self, batch: int, length: int) -> Flops:
        """Every head over its own queries; links are products of all pairs of nodes."""
        total = Flops()
        for name, count in self.asked.items():
            head = self.children[HEADS.get(name, name.removeprefix("gives_"))]
            total += head.flops(batch, count)
        if self.dims["gives_graph"]:
            nodes = self.asked["gives_graph"]
            pairs = Flops(2 * batch * nodes * nodes * self.dims["d_model"])
            total += self.edges.flops(batch, nodes) + pairs
        if self.dims["gives_segmentation_mask"]:
            total += self.mask_classes.flops(batch, length)
        return total

    def forward(self, x: Array) -> dict[str, Array]:
        """Every output by its switch, from answered queries, (B, Q, D)."""
        answers = x.split(list(self.asked.values()), 1)
        found = {}
        for (name, count), answer in zip(self.asked.items(), answers, strict=True):
            head = self.children[HEADS.get(name, name.removeprefix("gives_"))]
            heard = over_slice(head, answer)
            if name == "gives_embedding":
                heard = unit(heard.squeeze(1))
            elif name == "gives_graph":
                scores = over_slice(self.edges, answer) @ answer.transpose(1, 2)
                found["edges"] = scores / 1.0
            elif name in ("gives_audio", "gives_image", "gives_segmentation_mask"):
                heard = heard.copy()
            elif name == "gives_video":
                heard = heard.copy().copy()  # into frames, and those into rows
            if name == "gives_segmentation_mask":
                side = self.dims["patch_size"] * round(count**0.5)
                pixels = heard.view(x.shape[0], -1, side, side)
                pixels = pixels.narrow(2, self.dims["image_size"])
                heard = self.mask_classes(pixels.narrow(3, self.dims["image_size"]))
            found[name] = heard
        return found

    def losses(self, found: Mapping[str, Array]) -> None:
        """The loss of each output."""
        for name, array in found.items():
            wide = array.float()
            discrete = name == "gives_action" and self.dims["actions"] == "discrete"
            if name in ("gives_label", "gives_segmentation_mask") or discrete:
                wide.cross_entropy()
            elif name == "gives_embedding":
                contrast(wide)
            elif name == "gives_3d":
                points = wide.view(wide.shape[0], -1, 3)
                distances = points.trace.compute((points,), (*points.shape[:2], points.shape[1]))
                points.trace.keep(points)
                points.trace.keep(distances)
                points.trace.keep(distances.apply("pow"))
            else:  # a spectrogram is made of the sound, the others are there
                make = wide.trace.new if name == "gives_audio" else given(wide.trace)
                wide.squared_error(make(wide.shape, "fp32"))


class Writer(Part):
    """A causal decoder of `n_layers` blocks that attends to the whole sequence."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.length = dims["max_pos"]
        self.parameter("pos_embed", self.length, dims["d_model"])
        self.embed = Embedding(dims["vocab_size"], dims["d_model"])
        self.blocks = Repeat(writer_block(dims), dims["n_layers"])
        self.norm = Norm(dims["d_model"], "layernorm", True)
        self.lm_head = Linear(dims["d_model"], dims["vocab_size"], True)

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, self.length)

    def state_elements(self, length: int) -> int:
        """Keys and values of the text, and of what was read."""
        return super().state_elements(self.length)

    def forward(self, memory: Array, tokens: Array, past: int = 0) -> Array:
        """Scores of the token after each of (B, S), which follow `past` others -> (B, S, V)."""
        trace = memory.trace
        span = Span(trace, tokens.shape[1], past)
        rows = trace.compute((trace.weight(self, "pos_embed"),), (tokens.shape[1], memory.shape[2]))
        x = self.embed(tokens) + rows
        for block in self.blocks.each(trace, wrapped=True):
            x = block(x, span, memory)
        return self.lm_head(self.norm(x))


def trunk_block(dims: Mapping[str, Any]) -> VitBlock:
    """One layer over the sequence."""
    sizes = (dims[k] for k in ("d_model", "n_heads", "head_dim", "d_ff"))
    return VitBlock(*sizes, activation=dims["activation"])


def writer_block(dims: Mapping[str, Any]) -> DecoderBlock:
    """One layer of the decoder of texts."""
    memory = {"source": "audio", "audio_positions": positions(dims)}  # of a fixed length
    plain = {"norm": "layernorm", "mlp": "plain", "mlp_bias": True, "post_norm": False}
    return DecoderBlock({**dims, **memory, **plain, "attn_bias": True, "key_bias": True})


class Layer(Part):
    """One layer of the trunk and one of the decoder: what a layer of both stacks costs."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.trunk = trunk_block(dims)
        self.writer = writer_block(dims)


class MixedTransformer(Part):
    """Adapters, `n_layers` blocks over tokens and queries, heads, and a decoder where text is."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.positions, self.dims = positions(dims), dims
        self.inputs = Inputs(dims)
        self.trunk = Repeat(trunk_block(dims), dims["n_layers"])
        self.norm = Norm(dims["d_model"], "layernorm", True)
        if queries(dims):
            self.outputs = Outputs(dims)
        if dims["gives_text"]:
            self.writer = Writer(dims)

    def flops(self, batch: int, length: int) -> Flops:
        """Forward FLOPs of `batch` samples; the sequence is as long as its inputs and queries."""
        return super().flops(batch, self.positions)

    def batch(self, make: Callable[..., Array], count: int) -> dict[str, Array]:
        """Every input by its adapter's name, as `make` makes it."""
        dims = self.dims
        picture = (dims["channels"], dims["image_size"], dims["image_size"])
        shapes = {
            "image": picture,
            "video": (dims["frames"], *picture),
            "time_series": (dims["lookback"], dims["num_variables"]),
            "tabular": (dims["num_features"],),
            "state": (dims["state_dim"],),
            "points": (dims["num_points"], 3),
            "graph": (dims["num_nodes"], dims["node_features"]),
        }
        read = self.inputs.children
        found = {
            name: make((count, *shape), "fp32") for name, shape in shapes.items() if name in read
        }
        if "text" in read:
            found["text"] = make((count, dims["max_pos"]), "int64")
        if "audio" in read:
            found["audio"] = make((count, self.inputs.audio.log_mel.samples), "fp32")
        if "graph" in read:
            found["present"] = make((count, dims["num_nodes"]), "bool")
        return found

    def states(self, batch: Mapping[str, Array]) -> Array:
        """Tokens of everything that is read, and answered queries, (B, T, D)."""
        x = self.inputs(batch)
        trace = x.trace
        if "outputs" in self.children:
            asked = trace.weight(self.outputs, "queries")
            x = concatenate((x, asked.expand(x.shape[0], *asked.shape)), 1)
        for block in self.trunk.each(trace, wrapped=True):
            x = block(x)
        return self.norm(x)

    def answers(self, x: Array) -> dict[str, Array]:
        """Every output but a text, by its switch, from `states`."""
        if "outputs" not in self.children:
            return {}
        return self.outputs(x.narrow(1, self.outputs.tensors["queries"].shape[0]))

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The training pass over `batch` samples."""
        x = self.states(self.batch(given(trace), batch))
        found = self.answers(x)
        if "writer" in self.children:
            tokens = trace.new((batch, self.writer.length), "int64")
            trace.keep(tokens)
            text = self.writer(x, tokens)
        if "outputs" in self.children:
            self.outputs.losses(found)
        if "writer" in self.children:
            text.float().cross_entropy()

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """Every output for `batch` samples, which are there first; of a text the last token."""
        inputs = self.batch(trace.new, batch)
        unmade = SIZES[trace.weights] * batch * self.state_elements(length)
        trace.live -= unmade  # the state is counted beside, and only writing makes it
        x = self.states(inputs)
        found = self.answers(x)
        trace.live += unmade
        if "writer" in self.children:
            unread = trace.new((batch, 1), "int64")
            self.writer(x, unread, self.writer.length - 1)
        del inputs, found


def over_slice(linear: Linear, x: Array) -> Array:
    """A linear layer over some positions of each sample, (B, Q, D) -> (B, Q, D').

    Where several samples have several of them they are copied, unless a cast has done so.
    """
    lowered = x.trace.lowered(x)
    copied = lowered.storage is not x.storage or 1 in x.shape[:2]
    return linear(lowered if copied else lowered.copy())
