"""Any inputs in one backbone, any outputs asked of it: what no other topology serves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...specs.vocabulary import stand_in
from ..dims import Dim, choice, flag, number, real
from ..parts.base import Part
from ..parts.mixed import (
    GIVES,
    READS,
    Layer,
    MixedTransformer,
    positions,
    queries,
    spans,
    trunk_block,
)
from ..solver import Frame
from .audio_classifier import FRAME_RATE
from .base import Node
from .decoder_lm import BYTE_VOCABULARY, MIN_VOCAB, tokenizer_of
from .modalities import ModalitiesTopology
from .vit import tiny_picture

MOST_NODES = 1024
MOST_POINTS = 2048

WORDS = {
    "text": "a text", "image": "a picture", "audio": "a sound", "video": "a clip",
    "time_series": "a series", "tabular": "a row of a table", "state": "a state",
    "3d": "a cloud of points", "graph": "a graph", "label": "a class", "value": "a number",
    "embedding": "a vector of length 1", "action": "an action",
    "bounding_boxes": "boxes", "segmentation_mask": "a class for each pixel",
}  # fmt: skip

TABLE: Mapping[str, Dim] = {
    **{name: flag(name == "reads_state", f"{WORDS[name[6:]]} is among the inputs")
       for name in READS},
    **{name: flag(name == "gives_label", f"{WORDS[name[6:]]} is among the outputs")
       for name in GIVES},
    "actions": choice("discrete", "what an action is", "discrete", "continuous"),
    "vocab_size": number(None, "rows of a token embedding", low=MIN_VOCAB),
    "max_pos": number(64, "tokens of a text, read or written", low=4, high=2**16),
    "image_size": number(224, "side of a picture or frame, in pixels", low=8, high=2**14),
    "channels": number(3, "channels of a picture", high=1024),
    "patch_size": number(None, "side of a picture's patch, in pixels", high=1024),
    "frames": number(8, "frames of a clip", high=10**6),
    "tubelet": number(2, "frames that a token of a clip spans", high=1024),
    "sample_rate": number(16_000, "samples of sound in a second", low=100, high=10**6),
    "n_frames": number(512, "frames of a spectrogram; of longer sounds a part is heard",
                       high=10**5),
    "n_mels": number(128, "mel bands of a spectrogram", high=4096),
    "audio_patch": number(16, "bands and frames that a token of sound spans", high=4096),
    "lookback": number(96, "steps of a series that are read", high=10**6),
    "horizon": number(24, "steps of a series that are given", high=10**6),
    "num_variables": number(1, "variables of a series", high=10**6),
    "series_patch": number(8, "steps that a token of a series spans", high=10**5),
    "num_features": number(8, "columns of a table", high=10**6),
    "state_dim": number(8, "numbers of a state", high=10**6),
    "num_points": number(256, "points of a cloud; of larger ones a part is read", high=10**6),
    "point_group": number(16, "points that one query is answered with", high=10**5),
    "num_nodes": number(16, "most nodes of a graph; of larger ones a part is read", high=10**5),
    "node_features": number(8, "numbers of a node", high=10**6),
    "num_classes": number(10, "labels to choose from", low=2, high=10**7),
    "num_actions": number(4, "discrete actions to choose from", low=2, high=10**6),
    "action_dim": number(1, "numbers of a continuous action", high=10**5),
    "num_targets": number(1, "numbers of a value", high=10**6),
    "max_objects": number(10, "most boxes", high=10**5),
    "mask_dim": number(8, "features of a pixel before it is classified", high=1024),
    "embedding_dim": number(128, "width of the embedding", high=2**16),
    "temperature": real(0.1, "divisor of the cosines of embeddings", low=1e-3, high=10.0),
    "d_model": number(None, "width of the residual stream", low=8, high=2**18),
    "n_layers": number(None, "blocks of the trunk, and of the decoder of texts", high=2048),
    "n_heads": number(None, "attention heads", high=4096),
    "head_dim": number(None, "width of one attention head", low=2, high=4096),
    "d_ff": number(None, "hidden width of the MLP", high=2**20),
    "activation": choice("gelu", "feed-forward nonlinearity", "gelu", "gelu_tanh"),
    "norm_eps": real(1e-6, "epsilon of the normalisation layers", low=1e-12, high=1.0),
}  # fmt: skip

_PICTURE = ("image_size", "channels", "patch_size")
_SOUND = ("sample_rate", "n_frames", "n_mels", "audio_patch")
_SERIES = ("num_variables", "series_patch")

#: The dimensions that an input or an output brings with it.
OWN = {
    "reads_text": ("vocab_size", "max_pos"),
    "reads_image": _PICTURE,
    "reads_audio": _SOUND,
    "reads_video": (*_PICTURE, "frames", "tubelet"),
    "reads_time_series": (*_SERIES, "lookback"),
    "reads_tabular": ("num_features",),
    "reads_state": ("state_dim",),
    "reads_3d": ("num_points",),
    "reads_graph": ("num_nodes", "node_features"),
    "gives_text": ("vocab_size", "max_pos"),
    "gives_label": ("num_classes",),
    "gives_action": ("num_actions", "action_dim"),
    "gives_value": ("num_targets",),
    "gives_tabular": ("num_features",),
    "gives_state": ("state_dim",),
    "gives_embedding": ("embedding_dim", "temperature"),
    "gives_time_series": (*_SERIES, "horizon"),
    "gives_bounding_boxes": ("max_objects",),
    "gives_3d": ("num_points", "point_group"),
    "gives_graph": ("num_nodes", "node_features"),
    "gives_image": _PICTURE,
    "gives_segmentation_mask": ("image_size", "patch_size", "num_classes", "mask_dim"),
    "gives_audio": _SOUND,
    "gives_video": (*_PICTURE, "frames", "tubelet"),
}  # fmt: skip

LOSSES = {
    "gives_text": "cross-entropy of the text",
    "gives_label": "cross-entropy of the label",
    "gives_action": "error of the action",
    "gives_value": "squared error of the value",
    "gives_tabular": "squared error of the row",
    "gives_state": "squared error of the state",
    "gives_embedding": "supervised contrast of the embedding",
    "gives_time_series": "squared error of the series",
    "gives_bounding_boxes": "error of the boxes",
    "gives_3d": "Chamfer distance of the points",
    "gives_graph": "error of nodes and edges",
    "gives_image": "squared error of the picture",
    "gives_segmentation_mask": "cross-entropy of the mask",
    "gives_audio": "squared error of the spectrogram",
    "gives_video": "squared error of the clip",
}

#: Objectives that an output is trained by, beside those that hold for every one.
TRAINS = {
    "text": {"autoregressive"},
    "embedding": {"contrastive"},
    "segmentation_mask": {"segmentation"},
    "label": {"classification"},
    "action": {"classification"},
}


class MixedTopology(ModalitiesTopology):
    """An adapter for each input, one bidirectional trunk, queries and a head for each output."""

    id = "mixed"
    phrase = "multimodal transformer"
    losses = LOSSES
    own = OWN
    reads, gives = READS, GIVES
    stated = ("num_classes", "sample_rate", "embedding_dim", "frames", "horizon", "lookback",
              "num_variables", "num_features", "num_targets", "num_actions", "action_dim",
              "state_dim", "node_features", "max_objects")  # fmt: skip
    text_length = "max_pos"
    covers = {
        "inputs": frozenset(name.partition("_")[2] for name in READS),
        "outputs": frozenset(name.partition("_")[2] for name in GIVES),
        "objective": frozenset({"regression", "reconstruction"}.union(*TRAINS.values())),
        "task": frozenset({"classification", "regression", "embedding", "captioning",
                           "forecasting", "semantic_segmentation"}),
        "family": frozenset({"transformer"}),
    }  # fmt: skip
    served_as = "the prediction of its outputs, without sampling"
    table = TABLE
    aliases = {"hidden_size": "d_model", "context_length": "max_pos", "embed_dim": "embedding_dim"}
    top = "mixed"
    exports = ("MixedTransformer", "build_model")
    networks = {
        "mixed_inputs": "inputs",
        "mixed_outputs": "outputs",
        "mixed_spectra": "spectra",
        "mixed_writer": "writer",
    }
    programs = (
        "common", "batches", "scores", "reading", "corpus", "sound", "text", "images", "video",
        "mixed",
    )  # fmt: skip
    nodes = (
        Node("inputs", "input"),
        Node("embed", "adapters", ("inputs",)),
        Node("attention", "self-attention", ("trunk.attn",), repeated=True),
        Node("mlp", "feed-forward network", ("trunk.mlp",), repeated=True),
        Node("norm", "normalisation", ("norm",)),
        Node("head", "queries, heads and writer", ("outputs", "writer")),
        Node("loss", "sum of losses"),
    )

    def given(self, spec: Any) -> dict[str, Any]:
        """As everywhere; of large graphs and clouds a part is read."""
        dims, task = super().given(spec), spec.task
        if task.num_nodes:
            dims["num_nodes"] = min(task.num_nodes, MOST_NODES)
        if task.num_points:
            dims["num_points"] = min(task.num_points, MOST_POINTS)
        if task.action_dim and not task.num_actions:
            dims["actions"] = "continuous"
        return dims

    def trained(self, spec: Any) -> frozenset[str]:
        """Text is predicted token by token; a class is only classified where one is given."""
        outputs = set(map(stand_in, spec.modality.outputs))
        learned = set().union(*(TRAINS.get(name, {"regression"}) for name in outputs))
        if "action" in outputs and self.given(spec).get("actions") == "continuous":
            learned |= {"regression"}
        if outputs & set(map(stand_in, spec.modality.inputs)):
            learned |= {"reconstruction"}
        return frozenset(learned)

    def rules(self, pins: Mapping[str, Any]) -> Iterator[tuple[str, Any, str, None]]:
        yield from super().rules(pins)
        dims = {name: dim.default for name, dim in TABLE.items()} | dict(pins)
        for part, whole in (("series_patch", "lookback"), ("tubelet", "frames")):
            long = part in pins and dims[part] > dims[whole]
            yield part, long, f"it is above {whole}", None

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        dims = super().base(budget, frame)
        dims["series_patch"] = min(dims["series_patch"], dims["lookback"])
        dims["tubelet"] = min(dims["tubelet"], dims["frames"])
        return dims

    def build(self, dims: Mapping[str, Any]) -> MixedTransformer:
        return MixedTransformer(dims)

    def block(self, dims: Mapping[str, Any]) -> Part:
        return Layer(dims) if dims["gives_text"] else trunk_block(dims)

    def bulk(self, dims: Mapping[str, Any]) -> float:
        return 28.0 if dims["gives_text"] else 13.0

    def length(self, dims: Mapping[str, Any]) -> int:
        """Positions of the trunk, and of the text that is written."""
        return positions(dims) + (dims["max_pos"] if dims["gives_text"] else 0)

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        writes = dims["gives_text"]
        return super().switches(dims) | {
            "asks": bool(queries(dims)),
            "attn_qkv_bias": True,
            "bpe": (dims["reads_text"] or writes) and dims["vocab_size"] > BYTE_VOCABULARY,
            # the decoder of texts
            "source": "text",
            "norm": "layernorm",
            "pos": "learned",
            "pos_offset": 0,
            "post_norm": False,
            "final_norm": True,
            "embed_norm": False,
            "embed_scale": False,
            "attn_bias": True,
            "key_bias": True,
            "attn_scale": True,
            "mlp": "plain",
            "mlp_bias": True,
            "tied": False,
            "head_scale": False,
            "logits_bias": False,
        }

    def fields(self, dims: Mapping[str, Any]) -> dict[str, str]:
        unused = "action_dim" if dims["actions"] == "discrete" else "num_actions"
        renamed = {"max_pos": "context_length"}
        found = super().fields(dims)
        return {d: renamed.get(d, name) for d, name in found.items() if d != unused}

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        size, patch = tiny_picture(dims["image_size"], dims["patch_size"], largest=8)
        small = {"max_pos": 32, "channels": 4, "frames": 6, "tubelet": 2, "n_frames": 48,
                 "n_mels": 24, "audio_patch": 8, "lookback": 48, "horizon": 16,
                 "num_variables": 4, "series_patch": 8, "num_features": 16, "state_dim": 16,
                 "num_points": 64, "point_group": 8, "num_nodes": 12, "node_features": 8,
                 "num_classes": 10, "num_actions": 6, "action_dim": 4, "num_targets": 4,
                 "max_objects": 3, "mask_dim": 8, "embedding_dim": 32, "sample_rate": 4000,
                 "d_model": 64, "n_layers": 2, "n_heads": 4, "head_dim": 16, "d_ff": 192,
                 "vocab_size": BYTE_VOCABULARY}  # fmt: skip
        return {name: min(value, dims[name]) for name, value in small.items()} | {
            "image_size": min(size, 4 * patch),
            "patch_size": patch,
            "init_std": 0.08,  # about the square root of one over the width
            "steps": 400,
            "global_batch": 32,
            "micro_batch": 32,
            "learning_rate": 0.003,
            "min_learning_rate": 0.0003,
            "warmup_steps": 40,
            "eval_interval": 200,
            "eval_samples": 128,
            "checkpoint_interval": 200,
        }

    def idle_programs(self, switches: Mapping[str, Any]) -> tuple[str, ...]:
        def used(*names: str) -> bool:
            sides = (f"{side}_{name}" for name in names for side in ("reads", "gives"))
            return any(switches.get(side) for side in sides)

        discrete = switches["actions"] == "discrete"
        numeric = used("tabular", "state", "value") or (used("action") and not discrete)
        worded = used("label", "embedding") or (used("action") and discrete)
        kinds = {
            "text": used("text"),
            "image": used("image"),
            "audio": used("audio"),
            "video": used("video"),
            "series": used("time_series"),
            "numbers": numeric,
            "words": worded,
            "points": used("3d"),
            "graph": used("graph"),
            "boxes": used("bounding_boxes"),
            "mask": used("segmentation_mask"),
        }
        idle = [f"kind_{name}" for name, needed in kinds.items() if not needed]
        idle += [] if switches["bpe"] else ["bpe"]
        idle += [] if used("text") else ["tokenizer"]
        idle += [] if used("image") else ["pictures"]
        idle += [] if used("video") else ["clips"]
        idle += [] if used("audio") else ["wav"]
        drawn = used("image", "video", "segmentation_mask", "bounding_boxes")
        idle += [] if drawn else ["outlines"]
        scaled = numeric or used("time_series", "3d", "graph")
        idle += [] if scaled else ["scales"]
        idle += [] if scaled or used("bounding_boxes") else ["cells"]
        idle += [] if switches["gives_audio"] else ["sounds"]
        idle += ["accumulation"] if switches["gives_embedding"] else []  # contrast of one batch
        return tuple(idle)

    def words(self, spec: Any, dims: Mapping[str, Any]) -> dict[str, str]:
        own = super().words(spec, dims) | {"infer_args": "--limit 6"}
        if dims["reads_text"] or dims["gives_text"]:
            own["tokenizer"] = tokenizer_of(dims["vocab_size"])
        return own

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        stream = ["batch", positions(dims), dims["d_model"]]
        asked = sum(queries(dims).values()) + dims["gives_text"] * dims["max_pos"]
        return {node.id: stream for node in self.nodes} | {
            "inputs": ["batch", *self.sample(dims)],
            "head": ["batch", asked],
            "loss": [],
        }

    def sizes(self, dims: Mapping[str, Any]) -> dict[str, int]:
        picture = dims["channels"] * dims["image_size"] ** 2
        sizes = {
            "reads_image": picture,
            "reads_audio": dims["n_frames"] * round(dims["sample_rate"] / FRAME_RATE),
            "reads_video": dims["frames"] * picture,
            "reads_time_series": dims["lookback"] * dims["num_variables"],
            "reads_tabular": dims["num_features"],
            "reads_state": dims["state_dim"],
            "reads_3d": 3 * dims["num_points"],
            "reads_graph": dims["num_nodes"] * dims["node_features"],
        }
        return {name: sizes.get(name, count) for name, count in spans(dims).items()}

    def called(self, name: str) -> str:
        return WORDS[name.partition("_")[2]]
