"""Agents: blueprint and code agree, published models are exact, budgets are filled."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagen.specs.errors import SpecError
from metagen.specs.loader import parse
from metagen.synth.topologies import TOPOLOGIES

from .conftest import BASE, UNBOUND, blueprint
from .generated import import_package

torch = pytest.importorskip("torch")

from . import twins  # noqa: E402

STATE = {"inputs": ["state"], "outputs": ["action"]}
IMAGE = {"inputs": ["image"], "outputs": ["action"]}
SMALL_IMAGE = {"image_size": 40, "conv_channels": [4, 8, 6], "hidden_size": 20}
SMALL_SEQUENCE = {"d_model": 48, "n_layers": 2, "n_heads": 4, "head_dim": 12, "d_ff": 96,
                  "max_episode": 32, "context_steps": 5}  # fmt: skip

#: What is asked for, and dimensions, by variant.
VARIANTS = {
    "discrete PPO": (STATE, "actor_critic", {"state_dim": 5, "num_actions": 3, "hidden_size": 24}),
    "continuous PPO": (STATE, "policy_gradient", {"action_dim": 2, "n_layers": 3,
                                                  "activation": "relu", "hidden_size": 12}),
    "PPO of pixels": (IMAGE, "actor_critic", SMALL_IMAGE),
    "continuous PPO of pixels": (IMAGE, "actor_critic", SMALL_IMAGE | {"action_dim": 2,
                                                                       "channels": 3}),
    "DQN": (STATE, "value_based", {"num_actions": 4, "hidden_size": 16, "double_q": False}),
    "DQN of pixels": (IMAGE, "value_based", SMALL_IMAGE | {"num_actions": 5}),
    "DQN of small pixels": (IMAGE, "value_based", {"image_size": 10, "hidden_size": 8,
                                                   "conv_channels": [2, 3, 4]}),
    "decision transformer": (STATE, "autoregressive", SMALL_SEQUENCE),
    "discrete decision transformer": (STATE, "autoregressive", SMALL_SEQUENCE | {
        "actions": "discrete", "num_actions": 3, "activation": "gelu"}),
    "published decision transformer": (STATE, "autoregressive", SMALL_SEQUENCE | {
        "spare_tables": True, "n_positions": 16}),
}  # fmt: skip


def spec_of(modality, objective, dims=None, budget="1T", **task):
    constraints = UNBOUND | {"parameter_budget": {"max": budget}}
    sections = {"modality": modality, "training": {"objective": [objective]}, "task": task}
    return parse(
        BASE | sections | {"constraints": constraints, "architecture": {"dims": dims or {}}}
    )


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def variant(request, tmp_path_factory):
    return import_package(spec_of(*VARIANTS[request.param]), tmp_path_factory.mktemp("code"))


def test_the_blueprint_is_the_state_dict(variant):
    twins.check_state_dict(*variant[:2])


def test_flops_are_those_that_pytorch_counts(variant):
    package, release, _ = variant
    architecture = release.blueprint["architecture"]
    topology, dims = TOPOLOGIES[architecture["topology"]], architecture["dims"]
    twin = topology.build(dims)
    config = package.Config.full()
    with torch.device("meta"):
        model = package.build_model(config)
    batch = {k: v.to("meta") for k, v in package.synthetic_batch(config, 2, 0).items()}
    if topology.id == "decision_transformer":
        width = dims.get("action_dim") or dims["num_actions"]
        actions = torch.zeros(2, topology.length(dims), width, device="meta")
        run = lambda: model(batch["states"], actions, batch["returns"], batch["times"])  # noqa: E731
    else:
        run = lambda: model(batch["observations"])  # noqa: E731
    assert twins.counted_flops(run) == twin.flops(2, topology.length(dims)).counted


def test_the_generated_code_is_clean_and_complete(variant):
    twins.check_code(*variant, idle=("token_table",))


@pytest.mark.parametrize(
    "name", ["actor_critic", "pixel_actor_critic", "q_network", "pixel_q_network"]
)
@settings(max_examples=40, deadline=None)
@given(exponent=st.floats(5, 12))
def test_every_budget_is_filled(name, exponent):
    budget, topology = 10**exponent, TOPOLOGIES[name]
    twins.filled(topology, budget, {"num_actions": 6})


@settings(max_examples=40, deadline=None)
@given(exponent=st.floats(5, 12))
def test_every_budget_of_a_sequence_model_is_filled(exponent):
    budget, topology = 10**exponent, TOPOLOGIES["decision_transformer"]
    twins.filled(topology, budget, {"state_dim": 17, "action_dim": 6})


@pytest.mark.parametrize(
    "environment, state_dim, action_dim, params",
    [("HalfCheetah", 17, 6, 11_085), ("Hopper", 11, 3, 10_119), ("Ant", 27, 8, 12_497)],
)
def test_siblings_of_the_published_policies(environment, state_dim, action_dim, params):
    pins = {"n_layers": 2, "hidden_size": 64}
    spec = spec_of(STATE, "actor_critic", pins, state_dim=state_dim, action_dim=action_dim)
    assert blueprint(spec).design.model.count() == params


@pytest.mark.parametrize("actions, params", [(18, 1_693_362), (4, 1_686_180), (6, 1_687_206)])
def test_siblings_of_the_published_values(actions, params):
    pins = {"conv_channels": [32, 64, 64], "hidden_size": 512}
    assert (
        blueprint(spec_of(IMAGE, "value_based", pins, num_actions=actions)).design.model.count()
        == params
    )


def test_the_task_decides_what_is_observed_and_done():
    dims = blueprint(spec_of(IMAGE, "actor_critic", image_size=64, frames=2)).design.dims
    assert (dims["image_size"], dims["frames"], dims["num_actions"]) == (64, 2, 3)
    dims = blueprint(spec_of(STATE, "actor_critic", action_dim=4)).design.dims
    assert (dims["actions"], dims["action_dim"]) == ("continuous", 4) and "num_actions" not in dims


def test_kernels_fit_into_the_frame():
    with pytest.raises(SpecError, match="a kernel of 30 on 20 pixels"):
        blueprint(spec_of(IMAGE, "value_based", {"image_size": 20, "conv_kernels": [30, 2, 2]}))
    with pytest.raises(SpecError, match="2 numbers, not 3"):
        blueprint(spec_of(IMAGE, "value_based", {"conv_channels": [30, 2]}))
