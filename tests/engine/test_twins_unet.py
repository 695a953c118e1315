"""Diffusion with a U-Net: blueprint and code agree, published models are exact, budgets fill."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagen.specs.errors import SpecError
from metagen.specs.loader import parse
from metagen.synth.parts.unet import UNet
from metagen.synth.routing import route
from metagen.synth.topologies import TOPOLOGIES

from .conftest import BASE, UNBOUND, blueprint
from .generated import import_package

torch = pytest.importorskip("torch")

from . import twins  # noqa: E402

SMALL = {
    "unet_channels": [16, 24, 32],
    "layers_per_block": 2,
    "time_dim": 48,
    "norm_groups": 8,
    "text_d_model": 32,
    "text_n_layers": 1,
    "text_n_heads": 2,
    "text_d_ff": 48,
    "vocab_size": 320,
    "ae_channels": [8, 16, 16],
    "ae_layers_per_block": 1,
    "ae_groups": 4,
}
PLAIN = {name: SMALL[name] for name in ("unet_channels", "layers_per_block", "time_dim")} | {
    "norm_groups": 8,
    "transformer_layers": [0, 1, 1],
}
#: Inputs, what the task says, the objective, and dimensions.
VARIANTS = {
    "prompts": (["text"], {"image_size": 96}, "diffusion",
                SMALL | {"transformer_layers": [0, 1, 2], "mid_layers": 3}),
    "prompts, SDXL": (["text"], {"image_size": 128}, "diffusion",
                      SMALL | {"linear_projections": True, "pooled_prompt": True,
                               "unet_heads": [2, 4, 8]}),
    "classes": (["image"], {"image_size": 32, "num_classes": 5}, "diffusion",
                PLAIN | {"prediction": "v", "noise_schedule": "cosine"}),
    "nothing": (["image"], {"image_size": 30}, "flow_matching", PLAIN | {"condition": "none"}),
    "nothing, DDPM": (["image"], {"image_size": 32}, "diffusion",
                      PLAIN | {"condition": "none", "padding": "asymmetric",
                               "time_order": "sin_cos"}),
    "pictures": (["image"], {"image_size": 96}, "flow_matching",
                 PLAIN | {"ae_channels": [8, 16, 16]}),
    "edits": (["text", "image"], {"image_size": 32}, "diffusion", SMALL),
    "holes": (["text", "image"], {"image_size": 33}, "diffusion",
              SMALL | {"image_condition": "inpaint"}),
    "holes in codes": (["image"], {"image_size": 128}, "diffusion",
                       PLAIN | {"image_condition": "inpaint"}),
}  # fmt: skip

STABLE = {"condition": "text", "layers_per_block": 2, "time_dim": 1280, "pooled_prompt": False,
          "padding": "symmetric", "prompt_length": 77, "linear_projections": True}  # fmt: skip
#: Held-out siblings of the published networks: channels, side, parameters by diffusers 0.42.
SIBLINGS = {
    "Stable Diffusion 2.1": (
        4, 96, 865_910_724,
        STABLE | {"unet_channels": [320, 640, 1280, 1280], "transformer_layers": [1, 1, 1, 0],
                  "mid_layers": 1, "text_d_model": 1024},
    ),
    "SDXL": (
        4, 128, 2_567_463_684,
        STABLE | {"unet_channels": [320, 640, 1280], "transformer_layers": [0, 2, 10],
                  "mid_layers": 10, "text_d_model": 2048, "pooled_prompt": True,
                  "pooled_dim": 2816},
    ),
    "DDPM on CelebA-HQ and LSUN": (
        3, 256, 113_673_219,
        {"condition": "none", "unet_channels": [128, 128, 256, 256, 512, 512],
         "layers_per_block": 2, "transformer_layers": [0, 0, 0, 0, 1, 0], "mid_layers": 1,
         "time_dim": 512, "pooled_prompt": False, "padding": "asymmetric"},
    ),
}  # fmt: skip


def spec_of(inputs=("text",), task=None, objective="diffusion", dims=None, budget="1T", **more):
    constraints = UNBOUND | {"parameter_budget": {"max": budget}}
    return parse(
        BASE
        | {"modality": {"inputs": list(inputs), "outputs": ["image"]}, "task": task or {}}
        | {"training": {"objective": [objective]}, "constraints": constraints}
        | {"architecture": {"dims": dims or {}} | more}
    )


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def variant(request, tmp_path_factory):
    spec = spec_of(*VARIANTS[request.param])
    assert route(spec)[0].id == "unet"
    return import_package(spec, tmp_path_factory.mktemp("code"))


def test_the_blueprint_is_the_state_dict(variant):
    package, release, _ = variant
    twins.check_state_dict(package, release)
    model = package.build_model(package.Config.tiny())
    networks = release.blueprint["architecture"]["networks"]
    assert list(networks) == [name for name, _ in model.named_children()]
    assert sum(networks.values()) == release.figures["total_params"].value


def test_flops_are_those_that_pytorch_counts(variant):
    package, release, _ = variant
    dims = release.blueprint["architecture"]["dims"]
    topology = TOPOLOGIES["unet"]
    config = package.Config.full()
    with torch.device("meta"):
        model = package.build_model(config).eval()
    batch = package.synthetic_batch(config, 2, 0)
    batch = {name: tensor.to("meta") for name, tensor in batch.items()}
    told = torch.zeros(2, dtype=torch.bool, device="meta")
    at = torch.zeros(2, device="meta")
    denoise = model.denoise_for(batch, told)
    counted = twins.counted_flops(lambda: denoise(batch["noise"], at))
    twin = topology.build(dims)
    assert counted == twin.children["denoiser"].flops(2, 1).counted
    passes = topology.passes_of(dims)
    whole = topology.finished(twin, dims).flops.counted
    step = topology.work(twin, dims).flops.counted
    one, sides = {name: tensor[:1] for name, tensor in batch.items()}, 1
    if dims["condition"] != "none" and dims["guidance_scale"] != 1:
        sides = 2
    rest = sides * twins.counted_flops(lambda: model.denoise_for(one, told[:1]))
    rest += twins.counted_flops(lambda: model.decode(one["noise"]))
    assert whole == passes * step + rest


def test_the_generated_code_is_clean_and_complete(variant):
    twins.check_code(*variant)
    for file in variant[1].code:
        assert len([line for line in file.text.splitlines() if line.strip()]) <= 350, file.name


@pytest.mark.parametrize("name", SIBLINGS)
def test_siblings_of_published_models_are_exact(name):
    channels, side, params, dims = SIBLINGS[name]
    dims |= {"norm_groups": 32, "unet_heads": [8] * len(dims["unet_channels"])}
    assert UNet(dims, channels, channels, side).count() == params


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(
        [
            {"condition": "none"},
            {"condition": "class", "num_classes": 10},
            {"condition": "text"},
            {"condition": "text", "image_size": 384},
            {"image_condition": "picture", "image_size": 96},
            {"image_condition": "inpaint", "image_size": 97},
        ]
    ),
    st.floats(5, 12),
)
def test_every_budget_is_filled(facts, exponent):
    topology, budget = TOPOLOGIES["unet"], 10**exponent
    twins.filled(topology, budget, facts)


@pytest.mark.parametrize(
    ("inputs", "task", "more", "wanted"),
    [
        (["text"], {}, {}, ("text", "none")),
        (["image"], {"num_classes": 9}, {}, ("class", "none")),
        (["image"], {}, {}, ("none", "picture")),
        (["image"], {}, {"dims": {"condition": "none"}}, ("none", "none")),
        (["text", "image"], {}, {}, ("text", "picture")),
        (["image"], {}, {"components": [{"name": "Brush", "type": "inpainting"}]},
         ("none", "inpaint")),
        (["text", "image"], {}, {"dims": {"image_condition": "inpaint"}}, ("text", "inpaint")),
        (["audio"], {}, {}, ("text", "none")),
    ],
    ids=str,
)  # fmt: skip
def test_inputs_decide_the_conditions(inputs, task, more, wanted):
    dims = blueprint(spec_of(inputs, task, budget="30M", **more)).design.dims
    assert (dims["condition"], dims["image_condition"]) == wanted


@pytest.mark.parametrize(
    ("size", "space"),
    [(32, "pixel"), (64, "pixel"), (96, "latent"), (97, "pixel"), (512, "latent")],
)
def test_small_pictures_are_denoised_as_pixels(size, space):
    assert blueprint(spec_of(task={"image_size": size})).design.dims["space"] == space


def test_latency_decides_the_steps():
    def steps(latency):
        sections = {"modality": {"inputs": ["text"], "outputs": ["image"]}}
        spec = parse(BASE | sections | {"constraints": {"latency": latency}})
        return TOPOLOGIES["unet"].given(spec)["sampling_steps"]

    assert [steps(name) for name in ("real-time", "near-real-time", "offline")] == [4, 28, 50]


@pytest.mark.parametrize(
    ("dims", "message"),
    [
        ({"unet_channels": [32, 64], "transformer_layers": [1, 1, 1]}, "differ in number"),
        ({"unet_channels": [36, 64], "norm_groups": 32}, "does not divide"),
        ({"unet_channels": [36, 64], "unet_heads": [5, 8]}, "do not divide"),
        ({"sampling_steps": 2000}, "above train_times"),
        ({"image_size": 100, "ae_channels": [32, 32, 32, 32]}, "cannot be halved"),
        ({"text_d_model": 30, "text_n_heads": 4}, "does not divide"),
    ],
    ids=str,
)
def test_dimensions_that_contradict_each_other_are_refused(dims, message):
    with pytest.raises(SpecError, match=message):
        blueprint(spec_of(dims=dims))
