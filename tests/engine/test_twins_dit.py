"""Diffusion transformers: blueprint and code agree, releases are routed, budgets are filled."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagen.specs.errors import SpecError
from metagen.specs.loader import parse
from metagen.synth.routing import route
from metagen.synth.solver import Frame, required_fill
from metagen.synth.topologies import TOPOLOGIES

from .conftest import BASE, UNBOUND, blueprint
from .generated import import_package

torch = pytest.importorskip("torch")

from . import twins  # noqa: E402

SMALL = {"d_model": 48, "n_layers": 2, "n_heads": 4, "d_ff": 96, "time_features": 32}
CODED = {"image_size": 64, "space": "latent", "ae_channels": [8, 16], "ae_layers_per_block": 1,
         "ae_groups": 4, "latent_channels": 4}  # fmt: skip
PIXELS = {"image_size": 24, "space": "pixel"}
PROMPT = {"vocab_size": 300, "prompt_length": 12, "text_d_model": 32, "text_n_layers": 1,
          "text_n_heads": 2, "text_d_ff": 48}  # fmt: skip
TEXT, IMAGE = ["text"], ["image"]
VARIANTS = {
    "classes of pixels": (IMAGE, "diffusion", PIXELS | {"condition": "class", "num_classes": 5}),
    "nothing wanted, learned variance": (
        IMAGE,
        "diffusion",
        PIXELS | {"condition": "none", "image_condition": "none", "learned_variance": True},
    ),
    "from picture to picture, flow": (IMAGE, "flow_matching", CODED),
    "classes of codes, v": (
        IMAGE,
        "diffusion",
        CODED | {"condition": "class", "image_condition": "none", "prediction": "v"},
    ),
    "prompt to pixels, flow": (TEXT, "flow_matching", PIXELS | PROMPT),
    "prompt to code, all options": (
        TEXT,
        "diffusion",
        CODED
        | PROMPT
        | {"dual_layers": 1, "stream_norm": "rmsnorm", "largest_grid": 40, "pooled_dim": 20},
    ),
    "prompt and picture, flow": (TEXT + IMAGE, "flow_matching", CODED | PROMPT),
}


def spec_of(inputs, objective="diffusion", dims=None, budget="1T", components=(), **task):
    return parse(
        BASE
        | {"modality": {"inputs": inputs, "outputs": ["image"]}, "task": task}
        | {"training": {"objective": [objective]}}
        | {"constraints": UNBOUND | {"parameter_budget": {"max": budget}}}
        | {
            "architecture": {
                "family": "transformer",
                "dims": dims or {},
                "components": [{"name": f"Part{i}", "type": t} for i, t in enumerate(components)],
            }
        }
    )


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def variant(request, tmp_path_factory):
    inputs, objective, dims = VARIANTS[request.param]
    spec = spec_of(inputs, objective, SMALL | dims)
    assert route(spec)[0].id == ("mmdit" if "text" in inputs else "dit")
    return import_package(spec, tmp_path_factory.mktemp("code"))


def test_the_blueprint_is_the_state_dict(variant):
    twins.check_state_dict(*variant[:2])


def test_the_generated_code_is_clean_and_complete(variant):
    twins.check_code(*variant, idle=["denoiser.pos_embed"])


def test_a_network_has_its_own_file(variant):
    _, release, home = variant
    topology, dims = (release.blueprint["architecture"][k] for k in ("topology", "dims"))
    names = {path.stem for path in home.glob("*.py")}
    assert {"model", "diffusion", topology} <= names and "unet" not in names
    assert ("autoencoder" in names) == (dims["space"] == "latent")
    assert ("text_encoder" in names) == (topology == "mmdit")
    for path in home.glob("*.py"):
        lines = [li for li in path.read_text(encoding="utf-8").splitlines() if li.strip()]
        assert len(lines) <= 400, path.name


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["dit", "mmdit"]),
    st.floats(5, 12),
    st.sampled_from([{}, {"image_size": 256}, {"image_size": 32}]),
)
def test_every_budget_is_filled_over_all_networks(name, exponent, sizes):
    topology, budget = TOPOLOGIES[name], 10**exponent
    facts = {"condition": "text" if name == "mmdit" else "class"} | sizes
    best = topology.shapes(budget, Frame(facts))[0]
    assert required_fill(budget) * budget <= best.params <= budget
    model = topology.build(best.dims)
    assert model.count() == best.params
    assert model.children["denoiser"].count() >= 0.6 * best.params


@pytest.mark.parametrize("size", [8, 30, 97, 200, 1024])
@pytest.mark.parametrize("name", ["dit", "mmdit"])
def test_pictures_of_any_size_have_a_model(name, size, tmp_path):
    inputs = TEXT if name == "mmdit" else IMAGE
    package = import_package(
        spec_of(inputs, "flow_matching", budget="400K", image_size=size), tmp_path
    )
    twins.check_state_dict(*package[:2])
    twins.check_training_pass(package[0], idle=["denoiser.pos_embed"])


@pytest.mark.parametrize(
    ("inputs", "components", "topology"),
    [
        (TEXT, (), "mmdit"),
        (IMAGE, (), "dit"),
        (TEXT + IMAGE, (), "mmdit"),
        (TEXT, ("unet",), "unet"),
        (IMAGE, ("unet",), "unet"),
    ],
    ids=str,
)
def test_inputs_and_parts_decide_the_denoiser(inputs, components, topology):
    assert route(spec_of(inputs, components=components))[0].id == topology


@pytest.mark.parametrize(("inputs", "part"), [(TEXT, "mmdit"), (IMAGE, "dit")], ids=str)
def test_a_part_brings_the_transformer_into_a_diffusion_family(inputs, part):
    document = BASE | {"modality": {"inputs": inputs, "outputs": ["image"]}}
    document |= {
        "architecture": {"family": "diffusion", "components": [{"name": "A", "type": part}]}
    }
    assert route(parse(document))[0].id == part


@pytest.mark.parametrize(
    ("inputs", "dims", "message"),
    [
        (IMAGE, {"d_model": 50}, "multiple of 4"),
        (IMAGE, {"d_model": 64, "n_heads": 5}, "does not divide"),
        (IMAGE, {"condition": "text"}, "needs text"),
        (IMAGE, {"learned_variance": True, "prediction": "v"}, "needs prediction noise"),
        (IMAGE, {"image_size": 32, "space": "pixel", "patch_size": 5}, "does not divide"),
        (TEXT, {"condition": "class"}, "prompt"),
        (TEXT, {"pooled_dim": 64, "text_d_model": 32}, "above text_d_model"),
    ],
    ids=str,
)
def test_dimensions_that_contradict_each_other_are_refused(inputs, dims, message):
    with pytest.raises(SpecError, match=message):
        blueprint(spec_of(inputs, dims=dims))
