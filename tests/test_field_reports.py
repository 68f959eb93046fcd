"""Public bug reports of other libraries, tried on this one as their users did.

Each test names the report.  Reports of one repository stand together.
"""

import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from tianshou.data import Batch

from rlpriors.agents import (
    AlgorithmSettings,
    BehaviorCloningPolicy,
    DiffuserPolicy,
    TrajectoryLayout,
    make_algorithm,
)
from rlpriors.data import Episode, EpisodeStore, Normalizer
from rlpriors.data.buffers import from_buffer, to_buffer
from rlpriors.diffusion import DiffusionProcess, NoiseSchedule, PlannerSettings
from rlpriors.networks import build_denoiser
from rlpriors.rewards import MLPReward, NormalizedReward, RewardSettings
from rlpriors.training.online import OnlineSettings, train_online
from rlpriors.wrappers import LearnedReward, VectorLearnedReward


class Count(gym.Env[np.ndarray, np.ndarray]):
    """Episodes of `n` steps; the observation is the number of steps."""

    def __init__(self, n: int = 3, dtype: Any = np.float32) -> None:
        self.n, self.dtype, self.time = n, dtype, 0
        self.observation_space = Box(-100, 100, (1,), dtype)
        self.action_space = Box(-1, 1, (1,), dtype)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.time = 0
        return np.zeros(1, self.dtype), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.time += 1
        return np.full(1, self.time, self.dtype), 0.0, self.time >= self.n, False, {}


def difference(
    obs: torch.Tensor, act: torch.Tensor, obs_next: torch.Tensor, terminated: torch.Tensor
) -> torch.Tensor:
    return obs_next[:, 0] - obs[:, 0]


def vector(mode: AutoresetMode) -> SyncVectorEnv:
    return SyncVectorEnv([Count] * 2, autoreset_mode=mode)


# ---------------------------------------------------------------- Farama-Foundation/Gymnasium


@pytest.mark.parametrize(
    ("mode", "count"), [(AutoresetMode.NEXT_STEP, 2 * 6), (AutoresetMode.SAME_STEP, 2 * 8)]
)
def test_gymnasium_1451_resets_do_not_count_in_reward_statistics(mode: AutoresetMode, count: int) -> None:
    """Of 8 steps, NEXT_STEP spends two on resets."""
    reward = NormalizedReward(MLPReward(RewardSettings(1, 1, hidden=())))
    reward.updating = True
    envs = VectorLearnedReward(vector(mode), reward, device="cpu")
    envs.reset(seed=0)
    for _ in range(8):
        envs.step(np.zeros((2, 1), np.float32))
    assert reward.count.item() == count


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_gymnasium_1624_every_episode_has_its_whole_return(mode: AutoresetMode) -> None:
    envs = RecordEpisodeStatistics(VectorLearnedReward(vector(mode), difference, device="cpu"))
    envs.reset(seed=0)
    infos = [envs.step(np.zeros((2, 1), np.float32))[-1] for _ in range(9)]
    episodes = [info["episode"] for info in infos if "episode" in info]
    assert len(episodes) == (2 if mode == AutoresetMode.NEXT_STEP else 3)
    for episode in episodes:
        assert (episode["r"].tolist(), episode["l"].tolist()) == ([3, 3], [3, 3])


def test_gymnasium_1679_actions_of_integer_boxes_are_no_fractions() -> None:
    space, one = Box(0, 10, (1,), np.int64), Normalizer.identity(1)
    message = r"`action_space` must be a Box of floating-point numbers.*rounds"
    with pytest.raises(ValueError, match=message):
        make_algorithm(Box(-1, 1, (1,)), space, AlgorithmSettings("sac"), device="cpu")
    with pytest.raises(ValueError, match=message):
        BehaviorCloningPolicy(action_space=space, obs=one, act=one)


@pytest.mark.parametrize("name", ["sac", "td3", "ppo"])
def test_gymnasium_1665_an_action_with_equal_bounds_is_finite(name: Any) -> None:
    space = Box(np.float32([0.5, -1]), np.float32([0.5, 1]))
    settings = AlgorithmSettings(name, hidden=(4,))
    policy = make_algorithm(Box(-1, 1, (1,)), space, settings, device="cpu").policy
    with torch.no_grad():
        act = policy(Batch(obs=np.zeros((3, 1), np.float32), info=Batch())).act
    actions = np.asarray(policy.map_action(act))
    assert (actions[:, 0] == 0.5).all()
    assert np.isfinite(actions).all()


def test_gymnasium_185_random_actions_come_from_the_seed() -> None:
    def train(other_seed: int) -> torch.Tensor:
        np.random.seed(other_seed)  # noqa: NPY002
        torch.manual_seed(other_seed)
        settings = AlgorithmSettings("sac", hidden=(4,))
        space = Box(-1, 1, (1,))
        space.seed(other_seed)
        algorithm = make_algorithm(Box(-100, 100, (1,)), space, settings, device="cpu", seed=0)
        sizes: dict[str, Any] = {"env_steps": 24, "n_envs": 2, "random_steps": 16, "collect_steps": 8}
        online = OnlineSettings(**sizes, update_per_step=0.5, batch_size=4)
        train_online(algorithm, Count, settings=online, seed=3, progress=False)
        return torch.cat([weights.detach().flatten() for weights in algorithm.policy.parameters()])

    assert torch.equal(train(1), train(2))


def test_gymnasium_1084_the_second_reset_is_determined_by_the_first_seed() -> None:
    reward = MLPReward(RewardSettings(4, 1, n_actions=2))
    env = LearnedReward(gym.make("CartPole-v1"), reward, device="cpu")
    first, second = ([env.reset(seed=42)[0], env.reset()[0]] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of CartPole's unbounded observations
        check_env(env, skip_render_check=True)


# ---------------------------------------------------------------- other repositories


@pytest.mark.parametrize("name", ["sac", "td3", "ppo"])
def test_stable_baselines3_1145_float64_spaces_train(name: Any) -> None:
    make = lambda: Count(dtype=np.float64)  # noqa: E731
    env = make()
    settings = AlgorithmSettings(name, hidden=(4,))
    algorithm = make_algorithm(env.observation_space, env.action_space, settings, device="cpu")
    on_policy = name == "ppo"
    online = OnlineSettings(
        env_steps=16,
        n_envs=2,
        random_steps=0 if on_policy else 8,
        collect_steps=8,
        update_per_step=1.0 if on_policy else 0.5,
        batch_size=4,
    )
    assert train_online(algorithm, make, settings=online, progress=False).env_steps == 16


def test_imitation_836_a_missing_argument_of_a_reward_is_named() -> None:
    reward: Any = MLPReward(RewardSettings(2, 1))
    with pytest.raises(TypeError, match="obs_next"):
        reward.score(np.zeros((3, 2)), np.zeros((3, 1)))
    assert reward.score(np.zeros((3, 2)), np.zeros((3, 1)), np.zeros((3, 2))).shape == (3,)


def test_minari_199_an_episode_without_its_last_observation_is_named() -> None:
    def episode(n_observations: int) -> Episode:
        end = np.arange(4) == 3
        return Episode(np.zeros((n_observations, 2)), np.zeros((4, 1)), np.zeros(4), end & False, end)

    with pytest.raises(ValueError, match=r"T \+ 1 observations.*in episode 1"):
        EpisodeStore.from_episodes([episode(5), episode(4)])


def test_d3rlpy_127_episodes_of_one_step() -> None:
    ends = np.array([0, 1, 1, 1, 0, 0, 0, 1], bool)
    obs = np.arange(9.0)[:, None]
    store = EpisodeStore.from_transitions(obs[:-1], np.zeros((8, 1)), np.zeros(8), ends, next_obs=obs[1:])
    assert store.lengths.tolist() == [2, 1, 1, 4]
    assert store.transitions().obs_next[:, 0].tolist() == list(range(1, 9))


@pytest.mark.parametrize("kind", ["floats", "images", "integers"])
def test_d3rlpy_264_observations_are_unchanged_in_a_buffer(kind: str) -> None:
    rng = np.random.default_rng(0)
    obs = {
        "floats": rng.random((6, 10, 14)).astype(np.float32),
        "images": rng.integers(0, 255, (6, 8, 8, 3), dtype=np.uint8),
        "integers": rng.integers(0, 2**31 - 1, (6, 3)),
    }[kind]
    end = np.arange(5) == 4
    store = EpisodeStore.from_episodes([Episode(obs, np.arange(5) % 3, np.zeros(5), end, end & False)])
    again = from_buffer(to_buffer(store))
    np.testing.assert_array_equal(again.obs, obs)
    assert again.obs.dtype == obs.dtype


def test_d3rlpy_454_rewards_of_episodes_of_different_lengths_are_scaled() -> None:
    rng = np.random.default_rng(0)
    episodes = []
    for n in (1, 5, 3):
        end = np.arange(n) == n - 1
        act = rng.uniform(-1, 1, (n, 1))
        episodes.append(Episode(rng.random((n + 1, 2)), act, np.zeros(n), end, end & False))
    store = EpisodeStore.from_episodes(episodes)
    reward = NormalizedReward(MLPReward(RewardSettings(2, 1)))
    reward.updating = True
    store.relabel(reward)
    reward.updating = False
    assert reward.count.item() == 9
    assert store.relabel(reward).rew.std() == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize("spoiled", ["all", "one"])
def test_diffusion_forcing_5_no_plan_is_nan(spoiled: str) -> None:
    """A reward of NaN won against every number, and the policy returned its actions."""
    rng = np.random.default_rng(0)
    end = np.arange(8) == 7
    episodes = [
        Episode(
            np.c_[rng.random(9), np.full(9, 3.0)], rng.uniform(-1, 1, (8, 1)), np.zeros(8), end & False, end
        )
        for _ in range(4)
    ]
    layout = TrajectoryLayout.fit(EpisodeStore.from_episodes(episodes), 4, 1)

    def reward(
        obs: torch.Tensor, act: torch.Tensor, obs_next: torch.Tensor, terminated: torch.Tensor
    ) -> torch.Tensor:
        values = obs[:, 0]
        return (
            values * float("nan")
            if spoiled == "all"
            else torch.where(values == values.max(), float("nan"), values)
        )

    policy = DiffuserPolicy(
        denoiser=build_denoiser("mlp", horizon=4, dim=layout.dim),
        process=DiffusionProcess(NoiseSchedule(8)),
        layout=layout,
        action_space=Box(-1, 1, (1,)),
        planner=PlannerSettings(n_candidates=4, n_steps=4),
        device="cpu",
    )
    batch: Any = Batch(obs=np.array([[0.5, 3.0]]), info=Batch())
    assert np.isfinite(np.asarray(policy(batch).act)).all()  # the second entry is constant in the data
    policy.reward = reward
    with pytest.raises(ValueError, match=r"must return finite numbers\. Received"):
        policy(batch)
