"""Pictures by diffusion: what releases share, whatever denoises.

A release is a prompt encoder where texts are read, an autoencoder where codes are denoised instead
of pixels, and the denoiser, which gets what the others leave of the budget.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from math import inf
from typing import Any

from ...specs.errors import Problem
from ...specs.vocabulary import stand_in
from ...utils import formatting as fmt
from ..dims import Dim, number, real, text
from ..parts.base import Flops, Part
from ..parts.image_diffusion import ImageDiffusion, diffused
from ..solver import Frame, below
from . import latents
from .base import Node, Pace, Topology, Work, short_run
from .vit import picture_dims


def words_of(doc: str, *choices: str) -> Dim:
    """A switch between words that the spec decides where no pin does."""
    return Dim(None, doc, choices, switch=True, kind="str")


#: The dimensions of every diffusion model of pictures.
PICTURES: Mapping[str, Dim] = {
    "image_size": number(None, "side of a picture, in pixels", low=8, high=2**14),
    "channels": number(3, "channels of a picture", high=1024),
    "num_classes": number(None, "classes of pictures to choose from", high=10**7),
    "space": words_of("what is denoised: pixels or an autoencoder's code", "latent", "pixel"),
    "condition": words_of("what says which picture is wanted", "text", "class", "none"),
    "image_condition": words_of("picture that is given", "none", "picture", "inpaint"),
    "prediction": words_of("what the denoiser predicts", "noise", "v", "flow"),
    "noise_schedule": words_of("how noise grows", "linear", "scaled_linear", "cosine"),
    "train_times": number(1000, "times between clean and noise", low=2, high=10**6),
    "time_shift": real(1.0, "shift of the times towards noise", low=0.01, high=100.0),
    "sampling_steps": number(None, "denoising steps of a sample", high=10**4),
    "guidance_scale": real(None, "weight of the condition in sampling; 1: none", 0.0, 1e3),
    "dropout_condition": real(0.1, "share of training samples without a condition", 0.0, 1.0),
    "autoencoder_steps": number(100_000, "steps after which the autoencoder is frozen", high=10**9),
}

#: Seconds that a picture may take (SPEC section 8).
PICTURE_SECONDS = {"real-time": 0.2, "near-real-time": 5.0, "offline": inf}

#: Denoising steps of a picture, by the latency that is asked for.
STEPS = {"real-time": 4, "near-real-time": 28, "offline": 50}

#: Side of a picture by budget, where the spec does not say.
SIZES = ((3e6, 32), (6e7, 64), (4e8, 256), (2e9, 512), (inf, 1024))

#: Sides up to this are denoised as pixels.
LARGEST_PIXELS = 64

#: Shares of the budget that the other networks may take, where they are needed.
AUTOENCODER_SHARE, PROMPT_SHARE = 0.12, 0.25

PICTURE_SETTINGS: Mapping[str, Dim] = {
    "data": text(
        "pictures, captioned or (for classes) in class folders, or a table; empty: built in"
    ),
}


class ImageDiffusionTopology(Topology):
    """What all denoisers of pictures share: conditions, spaces, sampling and costs.

    A subclass gives `table` (PICTURES, its own, and the tables of `latents`), `denoiser`, `shapes`,
    `live` and `kept` of its denoiser, and `tiny_denoiser`.
    """

    objective = "the mean squared error of what is predicted at random noise levels"
    covers = {
        "inputs": frozenset({"text", "image"}),
        "outputs": frozenset({"image"}),
        "objective": frozenset({"diffusion", "flow_matching"}),
        "task": frozenset({"generation"}),
        "family": frozenset({"diffusion"}),
    }
    served_as = "generation of pictures"
    unit = "image"
    rate_unit = "img/s"
    denoises = True
    children = ("text_encoder", "autoencoder", "denoiser")
    top = "image_diffusion"
    exports = ("ImageDiffusion", "build_model")
    programs = ("images", "common", "reading", "corpus", "pictures")
    settings = PICTURE_SETTINGS
    nodes = (
        Node("prompt", "prompt encoder", ("text_encoder",), into=("denoiser",)),
        Node("autoencoder", "autoencoder", ("autoencoder",)),
        Node("noise", "noise at a random level"),
        Node("denoiser", "denoiser", ("denoiser",)),
        Node("loss", "squared error of the prediction"),
    )
    batch = 256
    learning_rate = 1e-4
    learning_rate_source = "Peebles and Xie, 2023, section 4"
    recipe = {"weight_decay": 0.01}
    most_units_per_param = 2.0

    # -- dimensions ---------------------------------------------------------------------------

    def given(self, spec: Any) -> dict[str, Any]:
        """What a spec says about its pictures, their conditions and the way to them."""
        dims = picture_dims(spec)
        pins = spec.architecture.dims or {}
        named = {component.type for component in spec.architecture.components}
        inputs = set(map(stand_in, spec.modality.inputs))
        classes = dims.get("num_classes")
        if inputs - {"image"}:  # whatever is no picture arrives as text, or as its bytes
            dims["condition"] = "text"
        elif classes and pins.get("condition") != "none":
            dims["condition"] = "class"
        else:
            dims["condition"] = "none"
        free = pins.get("condition") == "none" or dims["condition"] == "class"
        dims["image_condition"] = "picture" if "image" in inputs and not free else "none"
        if "inpainting" in named:
            dims["image_condition"] = "inpaint"
        if (pins.get("condition") or dims["condition"]) != "class":
            dims.pop("num_classes", None)
        flows = spec.training.objective[0] == "flow_matching"
        dims["prediction"] = "flow" if flows else "noise"
        dims["sampling_steps"] = STEPS[spec.constraints.latency]
        return dims

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        problems = [*latents.prompt_problems(pins)]
        if pins.get("space") == "latent" or pins.get("image_size", 0) > LARGEST_PIXELS:
            problems += latents.autoencoder_problems(pins)
        steps, times = pins.get("sampling_steps", 1), pins.get("train_times", 1000)
        if steps > times:
            message = f"{steps} is above train_times ({times})"
            problems.append(Problem("architecture.dims.sampling_steps", message))
        return problems

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        """Everything but the denoiser's own dimensions."""
        dims = {name: dim.default for name, dim in self.table.items()}
        decided = dict(frame.given) | dict(frame.pins)
        dims |= decided
        if dims["image_size"] is None:
            dims["image_size"] = below(SIZES, budget)
        small = dims["image_size"] <= LARGEST_PIXELS or dims["image_size"] % 4
        facts = {
            "space": "pixel" if small else "latent",
            "condition": "none",
            "image_condition": "none",
            "prediction": "noise",
            "sampling_steps": STEPS["near-real-time"],
        }
        for name, value in facts.items():
            dims[name] = value if dims[name] is None else dims[name]
        latent, asks = dims["space"] == "latent", dims["condition"] != "none"
        if dims["noise_schedule"] is None:
            dims["noise_schedule"] = "scaled_linear" if latent else "linear"
        if dims["guidance_scale"] is None:
            dims["guidance_scale"] = (5.0 if dims["condition"] == "text" else 3.0) if asks else 1.0
        if dims["condition"] == "class" and dims["num_classes"] is None:
            dims["num_classes"] = 10
        if latent:
            room, side = AUTOENCODER_SHARE * budget, dims["image_size"]
            dims |= latents.autoencoder_dims(room, side, dims["channels"], budget, frame.counts)
        if dims["condition"] == "text":
            dims |= latents.prompt_dims(PROMPT_SHARE * budget, budget)
        dims |= decided
        if latent and "ae_groups" not in decided:
            dims["ae_groups"] = latents.groups_of(dims["ae_channels"])
        return dims

    @abstractmethod
    def denoiser(self, dims: Mapping[str, Any], reads: int, makes: int, side: int) -> Part:
        """The denoiser of maps of `side` rows, from `reads` channels to `makes`."""

    def build(self, dims: Mapping[str, Any]) -> ImageDiffusion:
        return ImageDiffusion(dims, self.denoiser)

    def others(self, dims: Mapping[str, Any]) -> int:
        """Parameters of the networks beside the denoiser."""
        count = 0
        if dims["condition"] == "text":
            count += latents.prompt_params(dims)
        if dims["space"] == "latent":
            count += latents.autoencoder_params(dims)
        return count

    # -- costs --------------------------------------------------------------------------------

    def work(self, model: Part, dims: Mapping[str, Any]) -> Work:
        """FLOPs of one denoising step, without guidance."""
        channels, side = diffused(dims)
        what = "a code" if dims["space"] == "latent" else "a picture"
        at = f"one denoising step of {what} of {channels} × {side} × {side}"
        if dims["condition"] == "text":
            at += f" with a prompt of {dims['prompt_length']} tokens"
        return Work(model.children["denoiser"].flops(1, self.length(dims)), 1, at)

    def training_work(self, model: Part, dims: Mapping[str, Any]) -> Work:
        """FLOPs of the networks on one training sample, the decoder left out."""
        work = self.work(model, dims)
        return Work(work.flops + self._encoding(model, dims), 1, f"one training {self.unit}")

    def _encoding(self, model: Part, dims: Mapping[str, Any]) -> Flops:
        """FLOPs of encoding the prompt and the pictures of one training sample."""
        flops = Flops()
        if dims["condition"] == "text":
            flops += model.children["text_encoder"].flops(1, dims["prompt_length"])
        if dims["space"] == "latent":
            pictures = 1 if dims["image_condition"] == "none" else 2
            flops += model.children["autoencoder"].encode_flops(pictures)
        return flops

    def finished(self, model: Part, dims: Mapping[str, Any]) -> Work:
        """FLOPs of one finished picture: conditions, every step, the decoder."""
        passes = self.passes_of(dims)
        flops = self.work(model, dims).flops * passes
        guided = dims["guidance_scale"] != 1.0 and dims["condition"] != "none"
        at = f"{dims['sampling_steps']} denoising steps"
        if guided:
            at += ", each with and without the condition"
        if dims["condition"] == "text":
            prompt = model.children["text_encoder"].flops(1, dims["prompt_length"])
            flops += prompt * (2 if guided else 1)
            at = f"the prompt, {at}"
        if dims["space"] == "latent":
            autoencoder = model.children["autoencoder"]
            flops += autoencoder.decode_flops(1)
            if dims["image_condition"] != "none":
                flops += autoencoder.encode_flops(2 if guided else 1)
            at = f"{at}, and the decoder"
        return Work(flops, 1, f"one finished {self.unit}: {at}")

    def answered(self, dims: Mapping[str, Any]) -> str:
        steps = f"{dims['sampling_steps']} denoising steps"
        return f"{steps} with guidance" if self.passes_of(dims) > dims["sampling_steps"] else steps

    def passes_of(self, dims: Mapping[str, Any]) -> int:
        """Passes through the denoiser that a finished picture takes."""
        guided = dims["guidance_scale"] != 1.0 and dims["condition"] != "none"
        return dims["sampling_steps"] * (2 if guided else 1)

    def too_slow(self, pace: Pace, latency: str) -> bool:
        return pace.first > PICTURE_SECONDS[latency]

    def latency_asked(self, latency: str) -> str:
        limit = PICTURE_SECONDS[latency]
        return "no bound" if limit == inf else f"{fmt.seconds(limit)} for one {self.unit}"

    # -- code and documents -------------------------------------------------------------------

    def network_files(self, switches: Mapping[str, Any]) -> Mapping[str, str]:
        files = {"diffusion": "diffusion", switches["denoiser"]: switches["denoiser"]}
        if switches["condition"] == "text":
            files["prompt_encoder"] = "text_encoder"
        if switches["space"] == "latent":
            files["autoencoder_kl"] = "autoencoder"
        return files

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        own = {"learned_variance": False} | super().switches(dims) | {"denoiser": self.id}
        own |= {"staged": dims["space"] == "latent", "bpe": False}
        own |= latents.autoencoder_switches(dims, unit_latents=True)
        if dims["condition"] == "text":
            own |= latents.prompt_switches(dims)
        return own

    def fields(self, dims: Mapping[str, Any]) -> dict[str, str]:
        absent = set() if dims["condition"] == "text" else set(latents.PROMPT)
        if dims["space"] == "pixel":
            absent |= {*latents.AUTOENCODER, "autoencoder_steps"}
        if dims["condition"] != "class":
            absent.add("num_classes")
        if dims["condition"] == "none":
            absent.add("dropout_condition")
        if dims["prediction"] != "flow":
            absent.add("time_shift")
        return {n: n for n, d in self.table.items() if not d.switch and n not in absent}

    @abstractmethod
    def tiny_denoiser(self, dims: Mapping[str, Any], side: int) -> dict[str, Any]:
        """The denoiser of the tiny preset, for maps of `side` rows; never above the full one."""

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        size = min(dims["image_size"], 32 if dims["space"] == "latent" else 16)
        small: dict[str, Any] = {"image_size": size, "channels": dims["channels"]}
        side = size
        if dims["condition"] == "class":
            small["num_classes"] = min(8, dims["num_classes"])
        if dims["space"] == "latent":
            small |= latents.autoencoder_tiny(dims, size)
            side = size // 2 ** (len(small["ae_channels"]) - 1)
            small["autoencoder_steps"] = 400
        if dims["condition"] == "text":
            small |= latents.prompt_tiny(dims)
        return {
            **small,
            "sampling_steps": min(25, dims["sampling_steps"]),
            "guidance_scale": min(2.0, dims["guidance_scale"]),
            **short_run(steps=800, batch=32, learning_rate=0.002, warmup=40),
            "eval_interval": 200,
            "checkpoint_interval": 400,
            **self.tiny_denoiser(dims, side),
        }

    def folders(self, switches: Mapping[str, Any]) -> tuple[str, ...]:
        reads = ("text", "prompts") if switches["condition"] == "text" else ()
        return (*reads, *self.programs)

    def idle_programs(self, switches: Mapping[str, Any]) -> tuple[str, ...]:
        return ("dims",) if switches["bpe"] else ("dims", "bpe")

    def words(self, spec: Any, dims: Mapping[str, Any]) -> dict[str, str]:
        if dims["condition"] == "text" or dims["image_condition"] != "none":
            return {}
        told = "class" if dims["condition"] == "class" else "noise"
        return {
            "inputs": told,
            "modality_phrase": f"{told}-to-{'-and-'.join(spec.modality.outputs)}",
            "pipeline_tag": "unconditional-image-generation",
        }

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        channels, side = diffused(dims)
        maps = ["batch", channels, side, side]
        shapes: dict[str, list[Any]] = {"noise": maps, "denoiser": maps, "loss": []}
        if dims["condition"] == "text":
            prompt = ["batch", dims["prompt_length"], dims["text_d_model"]]
            shapes["prompt"] = prompt
        return {"prompt": [], "autoencoder": maps} | shapes
