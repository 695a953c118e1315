"""Environments of Gymnasium, when it is installed: `--env gymnasium:CartPole-v1`.

What an environment observes and does must have the model's sizes. A continuous action is given as
numbers from -1 to 1, which are stretched over the environment's own range. Gymnasium's environments
cannot be saved: a resumed run begins new episodes.
"""

import importlib.util

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .arena import SPLITS, Step
from .config import Config


class GymArena:
    """`count` environments of one name."""

    def __init__(self, config: Config, name: str, count: int, split: str):
        if importlib.util.find_spec("gymnasium") is None:
            raise ValueError(f'--env "{config.env}": pip install gymnasium')
        import gymnasium

        self.config, self.count = config, count
        try:
            self.worlds = [gymnasium.make(name, render_mode="rgb_array") for _ in range(count)]
        except gymnasium.error.Error as error:
            raise ValueError(f'--env "{config.env}": {error}') from None
        self.episodes = np.zeros(count, dtype=np.int64)
        self.totals = np.zeros(count)
        self.key = (config.seed, SPLITS.index(split))
        self.check()
        self.seen = torch.stack([self.begin(index) for index in range(count)])

    def check(self) -> None:
        """Raise `ValueError` unless the model has the environment's sizes."""
        config, world = self.config, self.worlds[0]
        if config.actions == "continuous":
            if not hasattr(world.action_space, "low"):
                raise ValueError(f'--env "{config.env}": this agent\'s actions are continuous')
            self.low, self.high = world.action_space.low, world.action_space.high
            sizes = {"action_dim": self.low.size}
        else:
            if not hasattr(world.action_space, "n"):
                raise ValueError(f'--env "{config.env}": this agent\'s actions are discrete')
            sizes = {"num_actions": int(world.action_space.n)}
        if config.observation == "state":
            sizes["state_dim"] = int(np.prod(world.observation_space.shape))
        for field, size in sizes.items():
            if getattr(config, field) != size:
                flag = "--" + field.replace("_", "-")
                raise ValueError(f'--env "{config.env}" needs {flag} {size}')

    def begin(self, index: int) -> Tensor:
        """Begin the next episode of one environment; what it observes first."""
        number = int(self.episodes[index])
        self.episodes[index] += 1
        rng = np.random.default_rng((*self.key, index, number))
        observation, _ = self.worlds[index].reset(seed=int(rng.integers(2**31)))
        told = self.told(observation)
        if self.config.observation == "image":
            told = told.repeat(self.config.frames, 1, 1)
        return told

    def told(self, observation: np.ndarray) -> Tensor:
        """One observation as the model reads it, (S,) or (C, Y, X)."""
        if self.config.observation == "image":
            side = self.config.image_size
            picture = Image.fromarray(np.asarray(observation, dtype=np.uint8))
            picture = picture.convert("L" if self.config.channels == 1 else "RGB")
            resized = np.array(picture.resize((side, side)))
            pixels = torch.from_numpy(resized).reshape(side, side, -1)
            return pixels.permute(2, 0, 1)  # (Y, X, C) -> (C, Y, X)
        else:
            return torch.as_tensor(np.asarray(observation), dtype=torch.float32).flatten()

    def observe(self) -> Tensor:
        return self.seen.clone()

    def step(self, actions: Tensor) -> Step:
        after, rewards, terminated, ended, finished = [], [], [], [], []
        for index, (world, action) in enumerate(zip(self.worlds, actions.cpu(), strict=True)):
            observation, reward, over, late, _ = world.step(self.action(action))
            told = self.told(observation)
            if self.config.observation == "image":
                told = torch.cat((self.seen[index, told.size(0) :], told))
            after.append(told)
            rewards.append(float(reward))
            terminated.append(bool(over))
            ended.append(bool(over or late))
            self.totals[index] += float(reward)
            self.seen[index] = told
            if over or late:
                finished.append(float(self.totals[index]))
                self.totals[index] = 0
                self.seen[index] = self.begin(index)
        flags = torch.tensor(terminated), torch.tensor(ended)
        return Step(torch.stack(after), torch.tensor(rewards), *flags, finished)

    def action(self, action: Tensor):
        """One action as the environment takes it."""
        if self.config.actions == "continuous":
            share = (action.numpy().clip(-1, 1).reshape(self.low.shape) + 1) / 2
            return (self.low + share * (self.high - self.low)).astype(self.low.dtype)
        else:
            return int(action)

    def state(self) -> dict[str, Tensor]:
        return {"episodes": torch.from_numpy(self.episodes.copy())}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.episodes = state["episodes"].numpy().copy()
        self.totals = np.zeros(self.count)
        self.seen = torch.stack([self.begin(index) for index in range(self.count)])

    def picture(self):
        """A picture of the first environment."""
        return Image.fromarray(self.worlds[0].render())

    def facts(self) -> dict[str, float]:
        """What is known of the first environment, besides what it shows: nothing."""
        return {}
