"""Published checkpoints, by their dimensions: exact counts, cache bytes and FLOPs."""

import json
from importlib.resources import files

import pytest

from metagen.specs.loader import parse
from metagen.synth.estimates import state_bytes

from .conftest import BASE, UNBOUND, blueprint

PUBLISHED = json.loads((files("metagen.synth") / "published.json").read_text(encoding="utf-8"))

#: What a spec says to be routed to a topology; without an entry, text to text.
SECTIONS = {
    "encoder_decoder": {"task": {"type": "translation"}},
    "speech_recognizer": {"modality": {"inputs": ["audio"], "outputs": ["text"]}},
    "audio_classifier": {"modality": {"inputs": ["audio"], "outputs": ["label"]}},
    "audio_codec": {
        "modality": {"inputs": ["audio"], "outputs": ["audio"]},
        "training": {"objective": ["reconstruction"]},
    },
    "video_classifier": {"modality": {"inputs": ["video"], "outputs": ["label"]}},
    "dual_encoder": {
        "modality": {"inputs": ["text", "image"], "outputs": ["embedding"]},
        "training": {"objective": ["contrastive"]},
    },
    "autoencoder": {
        "modality": {"inputs": ["image"], "outputs": ["image"]},
        "training": {"objective": ["reconstruction"]},
    },
    "codec_lm": {
        "modality": {"inputs": ["text"], "outputs": ["audio"]},
        "training": {"objective": ["autoregressive"]},
    },
    "segformer": {"modality": {"inputs": ["image"], "outputs": ["segmentation_mask"]}},
    "detr": {"modality": {"inputs": ["image"], "outputs": ["bounding_boxes"]}},
    "graph_nodes": {
        "modality": {"inputs": ["graph"], "outputs": ["label"]},
        "task": {"type": "node_classification"},
    },
    "text_encoder": {"modality": {"inputs": ["text"], "outputs": ["embedding"]}},
    "vlm": {"modality": {"inputs": ["text", "image"], "outputs": ["text"]}},
    "vit": {"modality": {"inputs": ["image"], "outputs": ["label"]}},
    "unet": {
        "modality": {"inputs": ["text"], "outputs": ["image"]},
        "training": {"objective": ["diffusion"]},
        "architecture": {"family": "diffusion"},
    },
    "dit": {
        "modality": {"inputs": ["image"], "outputs": ["image"]},
        "training": {"objective": ["diffusion"]},
        "architecture": {"family": "transformer"},
    },
    "mmdit": {
        "modality": {"inputs": ["text"], "outputs": ["image"]},
        "training": {"objective": ["flow_matching"]},
        "architecture": {"family": "transformer"},
    },
    "actor_critic": {"modality": {"inputs": ["state"], "outputs": ["action"]}},
    "pixel_q_network": {
        "modality": {"inputs": ["image"], "outputs": ["action"]},
        "training": {"objective": ["value_based"]},
    },
    "decision_transformer": {
        "modality": {"inputs": ["state"], "outputs": ["action"]},
        "training": {"objective": ["autoregressive"]},
    },
    "patch_forecaster": {"modality": {"inputs": ["time_series"], "outputs": ["time_series"]}},
    "mamba_lm": {"architecture": {"family": "mamba"}},
    "hybrid_lm": {"architecture": {"family": "hybrid"}},
    "resnet": {
        "modality": {"inputs": ["image"], "outputs": ["label"]},
        "architecture": {"family": "cnn"},
    },
    "convnext": {
        "modality": {"inputs": ["image"], "outputs": ["label"]},
        "architecture": {"family": "cnn"},
    },
}


def published_blueprint(model):
    """The blueprint of a published model, unbound but for its dimensions."""
    sections = {k: dict(v) for k, v in SECTIONS.get(model["topology"], {}).items()}
    architecture = sections.get("architecture", {}) | {"dims": model["config"]}
    constraints = UNBOUND | {"parameter_budget": {"max": "1T"}}
    plan = blueprint(
        parse(BASE | sections | {"constraints": constraints, "architecture": architecture})
    )
    assert plan.demands.topology.id == model["topology"]
    return plan


@pytest.mark.parametrize("model", PUBLISHED, ids=lambda m: m["name"])
def test_dims_of_a_published_model_give_its_exact_count(model):
    plan = published_blueprint(model)
    assert published_part(plan, model).count() == model["params"]
    if "active_params" in model:
        active = plan.demands.topology.active_params(plan.design.model, plan.design.dims)
        assert active == model["active_params"]
    grows = state_bytes(plan.design.model, 2) - state_bytes(plan.design.model, 1)
    assert grows == model.get("kv_bytes_per_token", 0)
    assert all(row.satisfied for row in plan.constraints)
    assert plan.given_up == ()


def published_part(plan, model):
    """The published network: the whole model, or one of the networks of a release."""
    return plan.design.model.children.get(model.get("network"), plan.design.model)


@pytest.mark.parametrize(
    "model", [m for m in PUBLISHED if "forward_flops" in m], ids=lambda m: m["name"]
)
def test_flops_are_those_that_pytorch_counts(model):
    wanted = model["forward_flops"]
    part = published_part(published_blueprint(model), model)
    assert part.flops(wanted["batch"], wanted["length"]).counted == wanted["total"]


@pytest.mark.parametrize(
    "model", [m for m in PUBLISHED if "matmul_flops_per_token" in m], ids=lambda m: m["name"]
)
def test_products_with_weights_are_two_flops_a_weight_in_use(model):
    """What reference tables state for mixtures and scans, of which a counter sees only a part."""
    part = published_blueprint(model).design.model
    active = part.count(quantizable_only=True) - part.idle(quantizable_only=True)
    tied = sum(part.at(alias).numel for alias in part.ties)
    assert 2 * (active + tied) == model["matmul_flops_per_token"]
    rest = part.flops(1, 1).counted - model["matmul_flops_per_token"]
    assert 0 <= rest < 0.1 * model["matmul_flops_per_token"], "attention, convolutions, states"
