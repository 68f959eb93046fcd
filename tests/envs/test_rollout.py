"""Rollouts: steps of one episode, whole episodes, and random actions."""

import gymnasium as gym
import lamp_env
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, MultiBinary

from rlpriors.envs.pixel_envs import PixelEnvSpec
from rlpriors.envs.rollout import iterate_episode, random_policy, rollout, sticky_actions


class Counter(gym.Env):
    """Shows the number of steps since the reset, terminates after four, and rewards the action's number."""

    observation_space, action_space = Box(0, 9, (1,)), Discrete(3)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.time += 1
        return np.full(1, self.time, np.float32), float(action), self.time == 4, False, {}


def test_an_episode_ends_with_the_environment_or_with_the_limit():
    for limit, n_steps, terminated in ((None, 4, True), (2, 2, False), (4, 4, True)):
        env = Counter()
        obs, _ = env.reset()
        steps = list(iterate_episode(env, obs, lambda obs: int(obs[0]) % 3, limit))
        assert [int(step.obs[0]) for step in steps] == list(range(n_steps))
        assert [int(step.obs_next[0]) for step in steps] == list(range(1, n_steps + 1))
        assert [step.act for step in steps] == [0, 1, 2, 0][:n_steps]
        assert [step.terminated for step in steps] == [False] * (n_steps - 1) + [terminated]
        assert [step.truncated for step in steps] == [False] * (n_steps - 1) + [not terminated]


def test_episodes_have_all_observations_and_rewards():
    (episode,) = rollout(Counter, lambda: lambda env: env.unwrapped.time % 3, 1, seed=0)
    assert episode.obs.tolist() == [[0], [1], [2], [3], [4]]
    assert episode.act.tolist() == episode.rew.tolist() == [0, 1, 2, 0]
    assert episode.rew.dtype == np.float32
    assert episode.terminated.tolist() == [False, False, False, True]
    assert not episode.truncated.any()


def test_action_noise_changes_what_is_executed_and_not_what_is_recorded():
    episodes = list(rollout(Counter, lambda: lambda env: 1, 20, seed=0, action_noise=0.5))
    assert all((episode.act == 1).all() for episode in episodes)
    executed = np.concatenate([episode.rew for episode in episodes])
    assert 0.2 < (executed != 1).mean() < 0.5  # a third of the random actions is 1, too


def test_action_noise_keeps_the_recorded_actions_correct():
    spec = PixelEnvSpec("rlpriors-tests/Lamps-v0", 12)
    calm, noisy = (
        list(rollout(spec.make, lambda: lamp_env.press_the_lit, 5, 0, action_noise=noise))
        for noise in (0.0, 0.5)
    )
    assert [episode.rew.sum() for episode in calm] == [6] * 5
    assert np.mean([episode.rew.sum() for episode in noisy]) < 6  # a quarter of the presses miss
    for episode in noisy:  # the recorded actions are still right
        bright = episode.obs[:-1, 0, 0, 0] < 100
        assert np.array_equal(bright, episode.act == 1)


def test_random_policies_share_one_stream():
    def acts():
        return [episode.act.tolist() for episode in rollout(Counter, random_policy(0), 3, 0)]

    assert acts() == acts()
    assert len({tuple(act) for act in acts()}) > 1


def test_sticky_actions_are_repeated():
    rng = np.random.default_rng(0)
    numbers = [next(actions) for actions in [sticky_actions(Discrete(9), rng)] for _ in range(400)]
    runs = np.diff(np.flatnonzero(np.diff(numbers, prepend=-1, append=-1)))
    assert 4 < runs.mean() < 6  # 4.5, and some are drawn twice
    space = Box(np.array([-1, 5], np.float32), np.array([1, 6], np.float32))
    action = next(sticky_actions(space, rng))
    assert action.dtype == np.float32
    assert space.contains(action)
    with pytest.raises(ValueError, match=r"`action_space` must be Box or Discrete.*TransformAction"):
        next(sticky_actions(MultiBinary(2), rng))
