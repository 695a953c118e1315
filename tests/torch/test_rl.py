"""Agents: equal outputs with the library, and environments equal to Gymnasium's, step by step."""

import importlib.util
import re
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from metagen.synth.codegen import template_folder  # noqa: E402

from .packages import config_of, generated_package, part  # noqa: E402

SIZES = {"state_dim": 5, "action_dim": 3, "d_model": 48, "n_layers": 2, "n_heads": 4,
         "head_dim": 12, "d_ff": 96, "max_episode": 32, "n_positions": 16, "context_steps": 7,
         "mlp": "plain", "mlp_bias": True, "activation": "relu", "norm_eps": 1e-5,
         "actions": "continuous", "spare_tables": True}  # fmt: skip

NAMES = (
    (r"^encoder\.wte\.weight", "token_table"),
    (r"^encoder\.wpe\.weight", "position_table"),
    (r"^encoder\.h\.", "blocks."),
    (r"^encoder\.ln_f", "norm"),
    (r"^embed_ln", "embed_norm"),
    (r"^predict_action\.0", "predict_action"),
    (r"\.ln_1", ".attn_norm"),
    (r"\.ln_2", ".mlp_norm"),
    (r"\.attn\.c_proj", ".attn.o_proj"),
    (r"\.mlp\.c_fc", ".mlp.up_proj"),
    (r"\.mlp\.c_proj", ".mlp.down_proj"),
)


def renamed(state):
    """The library's state dict under our names; its matrices of GPT-2 are the other way round."""
    result = {}
    for name, tensor in state.items():
        turned = tensor.t() if re.search(r"\.c_(attn|proj|fc)\.weight", name) else tensor
        for pattern, new in NAMES:
            name = re.sub(pattern, new, name)
        if ".c_attn." in name:
            for letter, third in zip("qkv", turned.chunk(3), strict=True):
                result[name.replace("c_attn", f"{letter}_proj")] = third
        else:
            result[name] = turned
    return result


def library_model():
    transformers = pytest.importorskip("transformers")
    config = transformers.DecisionTransformerConfig(
        state_dim=5, act_dim=3, hidden_size=48, max_ep_len=32, n_positions=16, n_layer=2, n_head=4,
        n_inner=96, activation_function="relu", vocab_size=1,
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.DecisionTransformerModel(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


@torch.no_grad()
@pytest.mark.parametrize("source", ["parts", "generated"])
def test_decisions_equal_those_of_the_library(source):
    library, config = library_model(), config_of(**SIZES)
    if source == "parts":
        model = part("decision_transformer").build_model(config)
    else:
        model = generated_package("decision_transformer", config).build_model(config)
    model.load_state_dict(renamed(library.state_dict()))
    generator = torch.Generator().manual_seed(1)
    states, actions = (torch.randn(2, 7, n, generator=generator) for n in (5, 3))
    returns = torch.randn(2, 7, generator=generator)
    times = torch.arange(4, 11).expand(2, -1)
    wanted = library(
        states=states, actions=actions, returns_to_go=returns.unsqueeze(-1), timesteps=times,
        attention_mask=torch.ones(2, 7),
    )  # fmt: skip
    found = model.eval()(states, actions, returns, times)
    expected = wanted.state_preds, wanted.action_preds, wanted.return_preds.squeeze(-1)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def plain_network(state, prefix, nonlinearity, x):
    """Fully connected layers, written out."""
    layers = sorted({int(name.split(".")[2]) for name in state if name.startswith(f"{prefix}.")})
    for i in layers:
        weight, bias = (state[f"{prefix}.blocks.{i}.{kind}"] for kind in ("weight", "bias"))
        x = nonlinearity(x @ weight.t() + bias)
    return x


@torch.no_grad()
@pytest.mark.parametrize("actions", ["discrete", "continuous"])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_an_actor_and_its_critic_are_what_they_say(actions, activation):
    sizes = {"state_dim": 6, "num_actions": 4, "action_dim": 3, "hidden_size": 16, "n_layers": 2}
    config = config_of(**sizes, actions=actions, activation=activation, observation="state")
    models = (
        part("actor_critic").build_model(config),
        generated_package("actor_critic", config).build_model(config),
    )
    x = torch.randn(5, 6)
    nonlinearity = getattr(torch, activation)
    for model in models:
        state = model.state_dict()
        policy = plain_network(state, "actor", nonlinearity, x) @ state["policy_head.weight"].t()
        value = plain_network(state, "critic", nonlinearity, x) @ state["value_head.weight"].t()
        found, values = model(x)
        torch.testing.assert_close(found[:, : policy.size(1)], policy)
        torch.testing.assert_close(values, value.squeeze(-1))
        chosen = model.draw(found, torch.Generator().manual_seed(0))
        if actions == "continuous":
            spread = torch.distributions.Independent(
                torch.distributions.Normal(policy, state["log_std"].exp().expand_as(policy)), 1
            )
        else:
            spread = torch.distributions.Categorical(logits=policy)
        torch.testing.assert_close(model.log_likelihood(found, chosen), spread.log_prob(chosen))
        torch.testing.assert_close(model.entropy(found), spread.entropy())


@torch.no_grad()
def test_the_values_of_a_screen_are_those_of_the_published_network():
    config = config_of(observation="image", actions="discrete", image_size=84, channels=1,
                       frames=4, num_actions=18, conv_channels=(32, 64, 64), hidden_size=512,
                       conv_kernels=(8, 4, 3), conv_strides=(4, 2, 1))  # fmt: skip
    model = part("q_network").build_model(config)
    assert sum(p.numel() for p in model.parameters()) == 1_693_362
    reference = torch.nn.Sequential(
        torch.nn.Conv2d(4, 32, 8, 4), torch.nn.ReLU(), torch.nn.Conv2d(32, 64, 4, 2),
        torch.nn.ReLU(), torch.nn.Conv2d(64, 64, 3, 1), torch.nn.ReLU(), torch.nn.Flatten(),
        torch.nn.Linear(3136, 512), torch.nn.ReLU(), torch.nn.Linear(512, 18),
    )  # fmt: skip
    for ours, theirs in zip(model.parameters(), reference.parameters(), strict=True):
        theirs.copy_(ours)
    pixels = torch.randint(256, (2, 4, 84, 84)).to(torch.uint8)
    torch.testing.assert_close(model(pixels), reference(pixels / 255))


def environment(folder):
    """A built-in environment, imported from the template."""
    path = template_folder() / "_programs" / folder / "environment.py"
    name = f"metagen_parts.{folder}_environment"
    config_of()  # so that `from .config import Config` finds the parts' own
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module.build_environment(config_of())


def test_the_cart_is_gymnasiums():
    gymnasium = pytest.importorskip("gymnasium")
    theirs, ours = gymnasium.make("CartPole-v1"), environment("rl_cart_pole")
    assert theirs.spec.max_episode_steps == ours.limit
    rng = np.random.default_rng(0)
    for episode in range(20):
        theirs.reset(seed=episode)
        state = np.array(theirs.unwrapped.state, dtype=np.float64)[None]
        over = False
        while not over:
            action = int(rng.integers(2))
            seen, reward, over, _, _ = theirs.step(action)
            state, rewards, fallen = ours.advance(state, np.array([action]))
            np.testing.assert_allclose(state[0], theirs.unwrapped.state, rtol=1e-12, atol=1e-14)
            np.testing.assert_allclose(ours.observe(state)[0], seen, rtol=1e-6, atol=1e-7)
            assert rewards[0] == reward and fallen[0] == over


def test_the_pendulum_is_gymnasiums():
    gymnasium = pytest.importorskip("gymnasium")
    theirs, ours = gymnasium.make("Pendulum-v1"), environment("rl_pendulum")
    assert theirs.spec.max_episode_steps == ours.limit
    rng = np.random.default_rng(0)
    for episode in range(3):
        theirs.reset(seed=episode)
        state, late = np.array(theirs.unwrapped.state)[None], False
        while not late:
            torque = rng.uniform(-3, 3)
            seen, reward, _, late, _ = theirs.step(np.array([torque]))
            state, rewards, over = ours.advance(state, np.array([[torque / 2]]))
            np.testing.assert_allclose(ours.observe(state)[0], seen, rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(rewards[0], reward, rtol=1e-5, atol=1e-6)
            assert not over[0]
