"""Any inputs as one sequence with the queries of any outputs."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

from .audio import LogMel, SpectrogramPatches
from .base import Embedding, Flops, Linear, Part, Repeat
from .convolution import Conv2d
from .encoder_decoder import DecoderBlock
from .graph import SageConv
from .norms import Norm
from .video import TubeletEmbed
from .vision import VitBlock

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


class ImagePatches(Part):
    def __init__(self, dims: Mapping[str, Any], count: int) -> None:
        super().__init__()
        size, patch = (dims["image_size"],) * 2, dims["patch_size"]
        self.parameter("pos_embed", count, dims["d_model"])
        self.proj = Conv2d(dims["channels"], dims["d_model"], patch, size, stride=patch)


class SoundPatches(Part):
    def __init__(self, dims: Mapping[str, Any], count: int) -> None:
        super().__init__()
        self.parameter("pos_embed", count, dims["d_model"])
        self.log_mel = LogMel(dims["n_mels"], dims["n_frames"], dims["sample_rate"])
        self.proj = SpectrogramPatches(dims["d_model"], dims["audio_patch"], count)


class VideoTubelets(Part):
    def __init__(self, dims: Mapping[str, Any], count: int) -> None:
        super().__init__()
        self.parameter("pos_embed", count, dims["d_model"])
        sizes = (dims[k] for k in ("channels", "d_model", "tubelet", "patch_size"))
        self.proj = TubeletEmbed(*sizes, count)


class SeriesPatches(Fixed):
    def __init__(self, dims: Mapping[str, Any], count: int) -> None:
        super().__init__(count)
        self.parameter("pos_embed", count, dims["d_model"])
        self.proj = Linear(dims["series_patch"] * dims["num_variables"], dims["d_model"], True)


class NumberTokens(Part):
    """Feature tokens (Gorishniy et al., 2021, section 3.3); long rows share them."""

    def __init__(self, numbers: int, d_model: int) -> None:
        super().__init__()
        tokens, each = number_tokens(numbers)
        self.parameter("weight", tokens, each, d_model)
        self.parameter("pos_embed", tokens, d_model)

    def flops(self, batch: int, length: int) -> Flops:
        return Flops(2 * batch * self.tensors["weight"].numel)


class PointTokens(Fixed):
    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__(dims["num_points"])
        self.up_proj = Linear(3, dims["d_model"], True)
        self.down_proj = Linear(dims["d_model"], dims["d_model"], True)


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


def trunk_block(dims: Mapping[str, Any]) -> VitBlock:
    """One layer over the sequence."""
    return VitBlock(*(dims[k] for k in ("d_model", "n_heads", "head_dim", "d_ff")))


def writer_block(dims: Mapping[str, Any]) -> DecoderBlock:
    """One layer of the decoder of texts."""
    memory = {"source": "audio", "audio_positions": positions(dims)}  # of a fixed length
    plain = {"norm": "layernorm", "mlp": "plain", "mlp_bias": True}
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
        self.positions = positions(dims)
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
