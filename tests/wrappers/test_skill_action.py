"""SkillAction and its twins: sums of rewards by hand, ends of episodes, and the same numbers everywhere."""

from functools import partial

import gymnasium as gym
import numpy as np
import pytest
from compass import Compass, CountedWalk
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv

from rlpriors.agents import RandomPolicy, SuccessorFeaturePolicy, ZeroShotSettings
from rlpriors.data.normalize import Normalizer
from rlpriors.spaces import wrapped_spaces
from rlpriors.types import SkillPolicy
from rlpriors.wrappers import LearnedReward, SkillAction, VectorSkillAction
from rlpriors.wrappers.tianshou import TianshouSkillAction

EAST, NORTH = np.array([1.0, 0.0], np.float32), np.array([0.0, 0.5], np.float32)


@pytest.mark.parametrize("as_dict", [False, True])
@pytest.mark.parametrize("terminates", [False, True])
def test_rewards_are_summed_until_the_skill_or_the_episode_ends(as_dict: bool, terminates: bool) -> None:
    env = SkillAction(CountedWalk(as_dict=as_dict, terminates=terminates), Compass(), horizon=5)
    env.reset()
    obs, reward, terminated, truncated, info = env.step(EAST)
    assert (reward, terminated, truncated) == (1 + 2 + 3 + 4 + 5, False, False)
    assert info == {"time": 5, "skill_steps": 5}
    np.testing.assert_allclose(obs["xy"] if as_dict else obs, [5, 0], rtol=1e-6)
    obs, reward, terminated, truncated, info = env.step(NORTH)  # a direction: its length does not matter
    assert (reward, terminated, truncated) == (6 + 7, terminates, not terminates)
    assert info["skill_steps"] == 2
    np.testing.assert_allclose(obs["xy"] if as_dict else obs, [5, 2], rtol=1e-6)


def test_rewards_of_the_environment_are_summed_too() -> None:
    inner = LearnedReward(CountedWalk(), lambda obs, act, obs_next, end: obs_next[:, 0], device="cpu")
    env = SkillAction(inner, Compass(), horizon=3)
    env.reset()
    _, reward, _, _, info = env.step(EAST)
    assert (reward, info["env_reward"]) == (pytest.approx(1 + 2 + 3), 6.0)


@pytest.mark.filterwarnings("ignore:.*different from the unwrapped version.*:UserWarning")
def test_it_is_an_environment_of_gymnasium() -> None:
    env = SkillAction(CountedWalk(), Compass(), horizon=3)
    check_env(env, skip_render_check=True)
    assert env.action_space == gym.spaces.Box(-1, 1, (2,), np.float32)
    still = env.step(np.zeros(2, np.float32))[0] if env.reset() else None
    assert np.abs(still).max() == 0  # no direction, no skill


def test_wrong_arguments_are_refused(without_type_checks) -> None:
    with pytest.raises(ValueError, match=r"`horizon` must be at least 1\. Received 0"):
        SkillAction(CountedWalk(), Compass(), horizon=0)
    with pytest.raises(TypeError, match=r"`policy` must be a SkillPolicy.*Received a str"):
        SkillAction(CountedWalk(), "compass")
    with pytest.raises(TypeError, match="use VectorSkillAction"):
        SkillAction(SyncVectorEnv([CountedWalk]), Compass())
    env = SkillAction(CountedWalk(), Compass())
    with pytest.raises(ResetNeeded):
        env.step(EAST)
    env.reset()
    with pytest.raises(ValueError, match="`action` must be 2 finite numbers"):
        env.step(np.array([np.nan, 0.0]))


def test_a_zero_shot_policy_is_a_skill_policy() -> None:
    policy = SuccessorFeaturePolicy(
        action_space=CountedWalk().action_space, obs=Normalizer.identity(2), device="cpu",
        settings=ZeroShotSettings(dim=3, hidden=(8,)),
    )  # fmt: skip
    assert isinstance(policy, SkillPolicy)
    env = SkillAction(CountedWalk(), policy, horizon=4)
    env.reset()
    obs = env.step(np.array([0.1, -0.2, 0.3], np.float32))[0]
    skill = np.sqrt(3) * np.array([[0.1, -0.2, 0.3]]) / np.linalg.norm([0.1, -0.2, 0.3])
    xy = np.zeros((1, 2), np.float32)
    for _ in range(4):
        xy = xy + policy.act_by(xy, skill)
    np.testing.assert_allclose(obs, xy[0], rtol=1e-5)


# ---------------------------------------------------------------- twins


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("as_dict", [False, True])
def test_a_vector_step_ends_with_the_first_episode(mode: AutoresetMode, as_dict: bool) -> None:
    makers = [partial(CountedWalk, 7, as_dict=as_dict), partial(CountedWalk, 3, as_dict=as_dict)]
    envs = VectorSkillAction(SyncVectorEnv(makers, autoreset_mode=mode), Compass(), horizon=5)
    assert envs.single_action_space.shape == (2,)
    assert envs.action_space.shape == (2, 2)
    envs.reset(seed=0)
    _, rewards, terminated, _, info = envs.step(np.stack([EAST, NORTH]))
    assert rewards.tolist() == [1 + 2 + 3, 1 + 2 + 3]
    assert terminated.tolist() == [False, True]
    assert info["skill_steps"].tolist() == [3, 3]
    if mode == AutoresetMode.DISABLED:
        envs.reset(options={"reset_mask": np.array([False, True])})
    obs, rewards, terminated, _, info = envs.step(np.stack([EAST, NORTH]))
    rows = obs["xy"] if as_dict else obs
    if mode == AutoresetMode.NEXT_STEP:  # the first of four steps resets the second environment
        assert rewards.tolist() == [4 + 5 + 6 + 7, 1 + 2 + 3]
        assert terminated.tolist() == [True, True]
        np.testing.assert_allclose(rows, [[7, 0], [0, 3]], rtol=1e-6)
    else:
        assert rewards.tolist() == [4 + 5 + 6, 1 + 2 + 3]
        assert terminated.tolist() == [False, True]


def test_tianshou_pauses_the_environments_that_ended() -> None:
    policy = Compass()
    makers = [partial(CountedWalk, 7), partial(CountedWalk, 3)]
    venv = TianshouSkillAction(DummyVectorEnv(makers), policy, horizon=5)
    assert venv.action_space == [gym.spaces.Box(-1, 1, (2,), np.float32)] * 2
    assert wrapped_spaces(venv).action.shape == (2,)
    venv.reset()
    obs, rewards, terminated, _, infos = venv.step(np.stack([EAST, NORTH]))
    assert rewards.tolist() == [15, 6]
    assert terminated.tolist() == [False, True]
    assert [info["skill_steps"] for info in infos] == [5, 3]
    assert policy.batches == [2, 2, 2, 1, 1]
    np.testing.assert_allclose(obs, [[5, 0], [0, 3]], rtol=1e-6)
    venv.reset([1])
    _, rewards, _, _, _ = venv.step(np.stack([NORTH, EAST]), [1, 0])
    assert rewards.tolist() == [6, 6 + 7]


def test_a_collector_sees_skills() -> None:
    venv = TianshouSkillAction(
        DummyVectorEnv([partial(CountedWalk, 7, as_dict=True)] * 2), Compass(), horizon=3
    )
    buffer = VectorReplayBuffer(100, 2)
    collect = Collector(RandomPolicy(wrapped_spaces(venv).action), venv, buffer)
    stats = collect.collect(n_episode=4, reset_before_collect=True)
    assert stats.lens.tolist() == [3] * 4  # 3 + 3 + 1 environment steps
    assert stats.returns.tolist() == [28.0] * 4
    assert buffer.act.shape[1:] == (2,)
