"""The closed vocabularies of MSL: every word, what it means, and the synonyms it answers to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .errors import FieldError, closest, show


def _key(word: str) -> str:
    """Fold case, separators and the plural: `Real_Time` is `real-time`, `Images` is `image`."""
    return re.sub(r"[\s_-]+", "", word.casefold()).removesuffix("s")


@dataclass(frozen=True)
class Vocabulary:
    """A closed list of words.

    `noun` completes "… is not …" with its article; `words` maps each word to its meaning,
    `aliases` each synonym to its word; `also` names words that are valid and understood, but
    approximated.
    """

    noun: str
    words: Mapping[str, str]
    aliases: Mapping[str, str] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    _index: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index every accepted spelling by its folded form; a word wins over a synonym."""
        known = [(alias, word) for alias, word in self.aliases.items()]
        known += [(word, word) for word in (*self.also, *self.words)]
        object.__setattr__(self, "_index", {_key(name): word for name, word in known})

    def match(self, raw: object) -> str:
        """Return the word that `raw` spells.

        Raises:
            FieldError: it spells none; the suggestion is the nearest word.
        """
        word = self._index.get(_key(raw)) if isinstance(raw, str) and len(raw) < 100 else None
        if word is None:
            raise FieldError(f"{show(raw)} is not {self.noun}", self.allowed, self._nearest(raw))
        return word

    def in_order(self, chosen: Iterable[str]) -> tuple[str, ...]:
        """Some of the words in the order of the vocabulary, for lists whose order says nothing."""
        return tuple(sorted(chosen, key=list(self.words).index))

    @property
    def allowed(self) -> str:
        """Every word, on one line; of the approximated ones the first few."""
        listed = ", ".join(self.words)
        return f"{listed}; approximated: {', '.join(self.also[:3])}, …" if self.also else listed

    def json_schema(self) -> dict:
        """Return the JSON Schema of one word: the words first, then the accepted synonyms."""
        return {"type": "string", "enum": [*self.words, *self.also, *self.aliases]}

    def _nearest(self, raw: object) -> str | None:
        if not isinstance(raw, str):
            return None
        near = closest(_key(raw), self._index)
        return self._index[near] if near else None


LATENCY = Vocabulary(
    "a latency",
    {
        "offline": "no latency target",
        "near-real-time": "a few seconds: at least 5 tokens/s, or media at a quarter of its rate",
        "real-time": "interactive: at least 20 tokens/s, or media at its own rate",
    },
    {"batch": "offline", "async": "offline", "interactive": "near-real-time", "live": "real-time"},
)

DEVICE = Vocabulary(
    "a device",
    {
        "cpu": "a 16-core server",
        "consumer_gpu": "an RTX 4090",
        "datacenter_gpu": "an H100 SXM",
        "edge": "a Jetson Orin Nano 8GB",
    },
    {
        "gpu": "consumer_gpu",
        "desktop_gpu": "consumer_gpu",
        "gaming_gpu": "consumer_gpu",
        "server_gpu": "datacenter_gpu",
        "cloud_gpu": "datacenter_gpu",
        "data_center_gpu": "datacenter_gpu",
        "server": "datacenter_gpu",
        "cloud": "datacenter_gpu",
        "mobile": "edge",
        "phone": "edge",
        "embedded": "edge",
        "jetson": "edge",
    },
)

PRECISION = Vocabulary(
    "a precision",
    {
        "bf16": "two bytes per weight",
        "int8": "one byte per weight",
        "int4": "half a byte per weight",
    },
    {"bfloat16": "bf16", "8bit": "int8", "w8": "int8", "4bit": "int4", "w4": "int4"},
)

FAMILY = Vocabulary(
    "an architecture family",
    {
        "transformer": "attention over a sequence",
        "diffusion": "iterative denoising",
        "hybrid": "attention with state-space layers, or autoregression with diffusion",
        "mamba": "selective state-space layers",
        "cnn": "convolutions",
        "gnn": "message passing over a graph",
        "mlp": "fully connected layers",
        "other": "whatever the modalities suggest",
    },
    {
        "attention": "transformer",
        "llm": "transformer",
        "vit": "transformer",
        "ssm": "mamba",
        "state_space": "mamba",
        "state_space_model": "mamba",
        "convnet": "cnn",
        "convolutional": "cnn",
        "graph_neural_network": "gnn",
        "perceptron": "mlp",
        "multilayer_perceptron": "mlp",
        "ddpm": "diffusion",
    },
)

ARTIFACT = Vocabulary(
    "an artifact",
    {
        "pytorch_skeleton": "the package under `code/`, its tests, Makefile, CI and Dockerfile",
        "training_recipe": "`training_plan.yaml` and `train.py`",
        "benchmark_report": "`eval_report.md`, `benchmarks.json`, `ablations.yaml`, their figures",
        "paper": "the LaTeX project under `paper/`",
        "model_card": "the model and data cards and the limitations",
    },
    {
        "pytorch": "pytorch_skeleton",
        "code": "pytorch_skeleton",
        "skeleton": "pytorch_skeleton",
        "recipe": "training_recipe",
        "training_plan": "training_recipe",
        "benchmarks": "benchmark_report",
        "eval_report": "benchmark_report",
        "evaluation_report": "benchmark_report",
        "report": "benchmark_report",
        "latex": "paper",
        "latex_paper": "paper",
        "card": "model_card",
        "data_card": "model_card",
    },
)

TASK = Vocabulary(
    "a task type",
    {
        "generation": "produce new samples of the outputs",
        "classification": "one label per sample",
        "regression": "one or several numbers per sample",
        "embedding": "a vector per sample",
        "retrieval": "find the matching sample",
        "ranking": "order candidates",
        "recommendation": "order items for a user",
        "translation": "text in one language to text in another",
        "summarization": "long text to short text",
        "speech_recognition": "audio to text",
        "text_to_speech": "text to audio",
        "captioning": "an image or a video to text",
        "object_detection": "boxes and their labels",
        "semantic_segmentation": "a label per pixel",
        "instance_segmentation": "a mask per object",
        "forecasting": "the future of a series",
        "anomaly_detection": "what does not fit",
        "actor_critic": "a policy with a value estimate",
        "policy_gradient": "a policy",
        "value_based": "action values",
        "node_classification": "a label per node",
        "link_prediction": "edges that are missing",
        "graph_classification": "a label per graph",
    },
    {
        "text_generation": "generation",
        "image_generation": "generation",
        "video_generation": "generation",
        "audio_generation": "generation",
        "music_generation": "generation",
        "synthesis": "generation",
        "chat": "generation",
        "language_modeling": "generation",
        "language_modelling": "generation",
        "image_classification": "classification",
        "text_classification": "classification",
        "audio_classification": "classification",
        "sentiment_analysis": "classification",
        "representation_learning": "embedding",
        "semantic_search": "retrieval",
        "search": "retrieval",
        "reranking": "ranking",
        "learning_to_rank": "ranking",
        "recsys": "recommendation",
        "recommender": "recommendation",
        "machine_translation": "translation",
        "summarisation": "summarization",
        "asr": "speech_recognition",
        "stt": "speech_recognition",
        "speech_to_text": "speech_recognition",
        "transcription": "speech_recognition",
        "tts": "text_to_speech",
        "speech_synthesis": "text_to_speech",
        "image_captioning": "captioning",
        "video_captioning": "captioning",
        "detection": "object_detection",
        "segmentation": "semantic_segmentation",
        "time_series_forecast": "forecasting",
        "time_series_forecasting": "forecasting",
        "forecast": "forecasting",
        "outlier_detection": "anomaly_detection",
        "rl": "actor_critic",
        "reinforcement_learning": "actor_critic",
        "control": "actor_critic",
        "ppo": "actor_critic",
        "a2c": "actor_critic",
        "sac": "actor_critic",
        "reinforce": "policy_gradient",
        "dqn": "value_based",
        "q_learning": "value_based",
    },
)

OBJECTIVE = Vocabulary(
    "a training objective",
    {
        "autoregressive": "predict the next element",
        "masked": "predict hidden elements",
        "diffusion": "predict the noise",
        "flow_matching": "predict the velocity",
        "contrastive": "pull pairs together, push the rest apart",
        "classification": "cross-entropy on labels",
        "regression": "squared or absolute error",
        "reconstruction": "reproduce the input",
        "detection": "match boxes and labels",
        "segmentation": "cross-entropy and overlap per pixel",
        "ranking": "order of candidates",
        "actor_critic": "policy gradient with a learned baseline",
        "policy_gradient": "policy gradient",
        "value_based": "temporal differences",
    },
    {
        "ar": "autoregressive",
        "causal_lm": "autoregressive",
        "clm": "autoregressive",
        "next_token": "autoregressive",
        "next_token_prediction": "autoregressive",
        "language_modeling": "autoregressive",
        "mlm": "masked",
        "masked_lm": "masked",
        "masked_language_modeling": "masked",
        "ddpm": "diffusion",
        "denoising": "diffusion",
        "denoising_diffusion": "diffusion",
        "score_matching": "diffusion",
        "flow": "flow_matching",
        "rectified_flow": "flow_matching",
        "clip": "contrastive",
        "infonce": "contrastive",
        "simclr": "contrastive",
        "cross_entropy": "classification",
        "mse": "regression",
        "forecasting": "regression",
        "autoencoder": "reconstruction",
        "autoencoding": "reconstruction",
        "vae": "reconstruction",
        "object_detection": "detection",
        "semantic_segmentation": "segmentation",
        "instance_segmentation": "segmentation",
        "learning_to_rank": "ranking",
        "rl": "actor_critic",
        "reinforcement_learning": "actor_critic",
        "ppo": "actor_critic",
        "a2c": "actor_critic",
        "reinforce": "policy_gradient",
        "dqn": "value_based",
        "q_learning": "value_based",
    },
)

_SHARED_MODALITIES = {
    "text": "words, code, any string",
    "image": "still pictures",
    "audio": "sound, speech, music",
    "video": "moving pictures",
    "3d": "meshes and point clouds",
    "time_series": "numbers over time",
    "graph": "nodes and edges",
    "tabular": "rows of columns",
    "state": "the observation of an environment",
}

_SHARED_MODALITY_ALIASES = {
    "code": "text",
    "string": "text",
    "document": "text",
    "language": "text",
    "picture": "image",
    "photo": "image",
    "pixels": "image",
    "sound": "audio",
    "speech": "audio",
    "voice": "audio",
    "music": "audio",
    "waveform": "audio",
    "movie": "video",
    "film": "video",
    "mesh": "3d",
    "meshes": "3d",
    "point_cloud": "3d",
    "shape": "3d",
    "series": "time_series",
    "signal": "time_series",
    "table": "tabular",
    "observation": "state",
}

#: Modalities of another world, each with the supported one that stands in for it.
APPROXIMATED: Mapping[str, str] = {
    "taste": "text",
    "smell": "text",
    "scent": "text",
    "flavor": "text",
    "touch": "time_series",
    "haptics": "time_series",
    "texture": "image",
    "temperature": "time_series",
    "pain": "time_series",
    "balance": "time_series",
    "vibes": "text",
    "mood": "text",
    "emotion": "text",
    "feelings": "text",
    "intuition": "text",
    "thoughts": "text",
    "dreams": "text",
    "memories": "text",
    "telepathy": "text",
    "consciousness": "text",
    "aura": "image",
    "karma": "text",
    "luck": "text",
    "charisma": "text",
    "nostalgia": "text",
    "gossip": "text",
    "weather": "time_series",
    "gravity": "time_series",
    "magnetism": "time_series",
    "eeg": "time_series",
    "ecg": "time_series",
    "brainwaves": "time_series",
    "radar": "time_series",
    "sonar": "time_series",
    "seismic": "time_series",
    "lidar": "3d",
    "thermal": "image",
    "infrared": "image",
    "hologram": "3d",
    "molecule": "graph",
    "protein": "text",
    "dna": "text",
    "genome": "text",
}

_APPROXIMATED_ALIASES = {
    "flavour": "flavor",
    "aroma": "smell",
    "odor": "smell",
    "odour": "smell",
    "olfaction": "smell",
    "tactile": "touch",
    "vibrations": "vibes",
    "memory": "memories",
    "ekg": "ecg",
}


_INPUT_ALIASES = {**_SHARED_MODALITY_ALIASES, **_APPROXIMATED_ALIASES}

INPUT = Vocabulary(
    "an input modality", _SHARED_MODALITIES, _INPUT_ALIASES, also=tuple(APPROXIMATED)
)

OUTPUT = Vocabulary(
    "an output modality",
    {
        **_SHARED_MODALITIES,
        "label": "a class",
        "value": "a number",
        "embedding": "a vector",
        "bounding_boxes": "boxes around objects",
        "segmentation_mask": "a label per pixel",
        "action": "what an agent does",
    },
    {
        **_INPUT_ALIASES,
        "class": "label",
        "classes": "label",
        "category": "label",
        "number": "value",
        "scalar": "value",
        "score": "value",
        "vector": "embedding",
        "bounding_box": "bounding_boxes",
        "boxes": "bounding_boxes",
        "bbox": "bounding_boxes",
        "mask": "segmentation_mask",
        "segmentation": "segmentation_mask",
    },
    also=tuple(APPROXIMATED),
)

VERSION = Vocabulary("a version of MSL that this MetaGen reads", {"1.0": "the first"}, {"1": "1.0"})


def stand_in(modality: str) -> str:
    """Return the supported modality that `modality` is, or is approximated by."""
    return APPROXIMATED.get(modality, modality)
