"""LearnedReward: its numbers, Gymnasium's own acceptance checks, and what it refuses."""

import copy
import pickle
import re
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.utils.env_match import check_environments_match

from rlpriors.checkpoint import CheckpointError
from rlpriors.data import Episode, EpisodeStore
from rlpriors.rewards import MLPReward, RewardSettings, ShapedReward
from rlpriors.wrappers import LearnedReward

# check_env speaks through warnings: that the environment is wrapped, that bounds are infinite, ...
quiet_checker = pytest.mark.filterwarnings("ignore::UserWarning")


class Scripted(gym.Env[np.ndarray, np.ndarray]):
    """Observations 1, 2, 4, 8, ... and rewards -1, -2, ...; ends (terminated) after three steps."""

    def __init__(self, action_space: gym.Space[Any] | None = None) -> None:
        self.observation_space = gym.spaces.Box(-100, 100, (1,), np.float64)
        self.action_space = action_space or gym.spaces.Box(-1, 1, (2,))
        self.memory = np.zeros(1)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time, self.memory[:] = 0, 1.0
        return self.memory, {}

    def step(self, action):
        self.time += 1
        self.memory *= 2  # in place: the wrapper must have kept its own copy
        return self.memory, -self.time, self.time >= 3, False, {"time": self.time}


class Arm(gym.Env[dict[str, Any], np.ndarray]):
    """A nested Dict observation of 1 + 2 + 3 numbers."""

    def __init__(self) -> None:
        box = gym.spaces.Box(-9, 9, (2,))
        arm = gym.spaces.Dict({"angle": gym.spaces.Box(-9, 9, (1,)), "tip": box})
        self.observation_space = gym.spaces.Dict({"arm": arm, "goal": gym.spaces.Box(-9, 9, (3,))})
        self.action_space = gym.spaces.Box(-1, 1, (1,))

    def observe(self, x: float) -> dict[str, Any]:
        arm = {"angle": np.full(1, x, np.float32), "tip": np.full(2, 2 * x, np.float32)}
        return {"arm": arm, "goal": np.full(3, 3 * x, np.float32)}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.observe(1.0), {}

    def step(self, action):
        return self.observe(2.0), 0.0, False, False, {}


def everything(obs, act, obs_next, terminated):
    return obs[:, 0] + 10 * act.sum(1) + 100 * obs_next[:, 0] + 1000 * terminated


def save(folder: Path, obs_dim: int, act_dim: int, **settings: Any) -> str:
    torch.manual_seed(0)
    settings = {"inputs": ("obs", "act", "obs_next"), "hidden": (8,), **settings}
    return str(MLPReward(RewardSettings(obs_dim, act_dim, **settings)).save(folder))


def rollout(env: gym.Env, steps: int = 20) -> list[float]:
    env.reset(seed=1)
    env.action_space.seed(1)
    return [float(env.step(env.action_space.sample())[1]) for _ in range(steps)]


# Numbers


def test_each_step_by_hand() -> None:
    env = LearnedReward(Scripted(), everything, device="cpu", scale=0.5)
    env.reset()
    action = np.array([0.25, 0.5])
    steps = [env.step(action) for _ in range(3)]
    # 0.5 * (obs + 10 * 0.75 + 100 * obs_next), with 1000 more in the brackets at the end
    assert [step[1] for step in steps] == [104.25, 204.75, 905.75]
    assert all(type(step[1]) is float for step in steps)
    assert [step[4] for step in steps] == [{"env_reward": -t, "time": t} for t in (1.0, 2.0, 3.0)]
    assert [step[2] for step in steps] == [False, False, True]


def test_the_reward_gets_float32_tensors_in_the_units_of_the_environment() -> None:
    received = []

    def look(*inputs):
        received.append([(tuple(x.shape), x.dtype, x.device.type) for x in inputs])
        return [7]  # anything that torch.as_tensor takes

    env = LearnedReward(Scripted(), look, device="cpu")
    env.reset()
    assert env.step(np.zeros(2))[1] == 7.0
    float32, cpu = torch.float32, "cpu"
    expected = [
        ((1, 1), float32, cpu),
        ((1, 2), float32, cpu),
        ((1, 1), float32, cpu),
        ((1,), torch.bool, cpu),
    ]
    assert received == [expected]


@pytest.mark.parametrize(
    ("space", "action", "row"),
    [
        (gym.spaces.Discrete(5), 3, [3.0]),
        (gym.spaces.Discrete(5), np.int64(3), [3.0]),
        (gym.spaces.MultiDiscrete([3, 4]), np.array([2, 1]), [2.0, 1.0]),
        (gym.spaces.MultiBinary(3), np.array([1, 0, 1], np.int8), [1.0, 0.0, 1.0]),
    ],
)
def test_actions_are_rows_of_numbers(space: gym.Space, action: Any, row: list[float]) -> None:
    received = []
    env = LearnedReward(
        Scripted(space), lambda o, a, n, t: received.append(a.tolist()) or torch.zeros(1), device="cpu"
    )
    env.reset()
    env.step(action)
    assert received == [[row]]


def test_while_acting_and_in_a_data_set_a_reward_is_the_same(tmp_path: Path) -> None:
    model = ShapedReward(MLPReward(RewardSettings(4, 1, inputs=("obs", "act"), n_actions=2)))
    env = LearnedReward(gym.make("CartPole-v1"), model.save(tmp_path), device="cpu")
    obs, _ = env.reset(seed=0)
    received, acts, rewards, ends, terminated = [obs], [], [], [], False
    while not terminated:
        acts.append(len(acts) % 3 // 2)
        obs, reward, terminated, _, _ = env.step(acts[-1])
        received.append(obs)
        rewards.append(reward)
        ends.append(terminated)
    steps = len(acts)
    episode = Episode(
        np.array(received), np.array(acts), np.zeros(steps, np.float32), np.array(ends), np.zeros(steps, bool)
    )
    stored = EpisodeStore.from_episodes([episode]).relabel(model)
    np.testing.assert_allclose(stored.rew, rewards, rtol=1e-5, atol=1e-6)
    assert steps > 5


def test_leaves_of_a_dict_observation() -> None:
    def total(obs, act, obs_next, terminated):
        return obs_next.sum(1)

    for keys, expected in ((None, 2 + 8 + 18.0), (["arm/tip"], 8.0), (("goal", "arm/angle"), 20.0)):
        env = LearnedReward(Arm(), total, device="cpu", obs_keys=keys)
        env.reset()
        assert env.step(np.zeros(1))[1] == expected


def test_a_saved_reward_knows_its_leaves(tmp_path: Path) -> None:
    folder = save(tmp_path, 3, 1, obs_keys=("arm/tip", "arm/angle"))
    env = LearnedReward(Arm(), folder, device="cpu")
    assert env.reward_adapter.obs_keys == ("arm/tip", "arm/angle")
    plain = LearnedReward(gym.make("Pendulum-v1"), folder, device="cpu")  # the same sizes, no Dict
    assert plain.reward_adapter.obs_keys is None
    with pytest.raises(ValueError, match=r"\('arm/tip', 'arm/angle'\).*Received \('goal' \(3,\)\)"):
        LearnedReward(Arm(), folder, device="cpu", obs_keys=("goal",))


def test_a_module_is_shared_and_followed() -> None:
    model = MLPReward(RewardSettings(1, 2))
    env = LearnedReward(Scripted(), model)
    assert env.reward_adapter.reward is model
    assert env.reward_adapter.device == torch.device("cpu")  # it stays where it is
    first = rollout(env, 2)
    with torch.no_grad():
        model.net[-1].bias += 1
    np.testing.assert_allclose(np.subtract(rollout(env, 2), first), 1.0, rtol=1e-5)
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


def test_with_two_wrappers_the_inner_one_keeps_the_true_reward() -> None:
    env = LearnedReward(LearnedReward(Scripted(), everything, device="cpu"), everything, device="cpu")
    env.reset()
    assert env.step(np.zeros(2))[4]["env_reward"] == -1.0


# Gymnasium's acceptance checks


@quiet_checker
def test_check_env_pendulum(tmp_path: Path) -> None:
    check_env(
        LearnedReward(gym.make("Pendulum-v1"), save(tmp_path, 3, 1), device="cpu"), skip_render_check=True
    )


@quiet_checker
def test_check_env_dict_observations(tmp_path: Path) -> None:
    robotics = pytest.importorskip("gymnasium_robotics")
    gym.register_envs(robotics)
    env = gym.make("PointMaze_UMaze-v3")
    learned = LearnedReward(env, save(tmp_path, 4, 2), device="cpu", obs_keys=("observation",))
    check_env(learned, skip_render_check=True)
    assert len(set(rollout(learned))) > 10
    learned.close()


def test_the_spec_goes_through_json(tmp_path: Path) -> None:
    folder = save(tmp_path, 3, 1)
    env = LearnedReward(gym.make("Pendulum-v1"), Path(folder), device="cpu", scale=0.5, obs_keys=None)
    assert env.spec is not None
    spec = EnvSpec.from_json(env.spec.to_json())
    assert spec == env.spec
    again = gym.make(spec)
    assert isinstance(again, LearnedReward)
    assert rollout(again) == rollout(env)
    check_environments_match(env, again, 30)


def test_the_spec_keeps_the_leaves(tmp_path: Path) -> None:
    gym.register("rlpriors-test/Arm-v0", entry_point=f"{__name__}:Arm")
    try:
        env = LearnedReward(
            gym.make("rlpriors-test/Arm-v0"), save(tmp_path, 2, 1), device="cpu", obs_keys=("arm/tip",)
        )
        assert env.spec is not None
        spec = EnvSpec.from_json(env.spec.to_json())
        assert spec == env.spec
        assert rollout(gym.make(spec)) == rollout(env)
    finally:
        del gym.registry["rlpriors-test/Arm-v0"]


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_copies_continue_equally(tmp_path: Path, clone) -> None:
    env = LearnedReward(gym.make("Pendulum-v1"), save(tmp_path, 3, 1), device="cpu")
    env.reset(seed=3)
    env.step(np.array([0.5], np.float32))
    other = clone(env)
    for action in np.linspace(-1, 1, 5, dtype=np.float32)[:, None]:
        assert env.step(action)[1] == other.step(action)[1]


def test_an_id_can_have_the_wrapper_baked_in(tmp_path: Path) -> None:
    folder = save(tmp_path, 3, 1)
    gym.register(
        "rlpriors-test/Pendulum-v0",
        entry_point="gymnasium.envs.classic_control.pendulum:PendulumEnv",
        max_episode_steps=200,
        additional_wrappers=(LearnedReward.wrapper_spec(reward=folder, device="cpu"),),
    )
    try:
        expected = rollout(LearnedReward(gym.make("Pendulum-v1"), folder, device="cpu"))
        assert rollout(gym.make("rlpriors-test/Pendulum-v0")) == expected
        envs = gym.make_vec("rlpriors-test/Pendulum-v0", num_envs=2, vectorization_mode="sync")
        envs.reset(seed=0)
        rewards, info = envs.step(envs.action_space.sample())[1], envs.step(envs.action_space.sample())[4]
        assert rewards.shape == info["env_reward"].shape == (2,)
    finally:
        del gym.registry["rlpriors-test/Pendulum-v0"]


def test_a_function_leaves_no_copy_in_the_spec() -> None:
    env = LearnedReward(gym.make("Pendulum-v1"), everything, device="cpu")
    assert env.spec is not None
    assert env.spec.additional_wrappers[-1].kwargs["reward"] is everything
    assert rollout(gym.make(env.spec)) == rollout(env)  # works in this process, but not as JSON


# What it refuses


@pytest.mark.parametrize(
    ("result", "error", "message"),
    [
        (
            torch.zeros(1, 1),
            ValueError,
            r"for each of the 1 rows, shape \(1,\). Received shape \(1, 1\); drop",
        ),
        (torch.zeros(()), ValueError, r"Received shape \(\)"),
        (torch.zeros(2), ValueError, r"Received shape \(2,\)"),
        (
            torch.tensor([torch.nan]),
            ValueError,
            r"finite numbers. Received nan for obs \[1.0\], act \[0.0, 0.0\]",
        ),
        (np.array([np.inf]), ValueError, r"finite numbers. Received inf"),
        (None, TypeError, r"`reward` must return one number for each row. Received a NoneType"),
    ],
)
def test_bad_rewards_are_named(result: Any, error: type[Exception], message: str) -> None:
    env = LearnedReward(Scripted(), lambda *inputs: result, device="cpu")
    env.reset()
    with pytest.raises(error, match=message):
        env.step(np.zeros(2))


def test_observations_of_another_size_are_noticed_at_once(tmp_path: Path) -> None:
    folder = save(tmp_path, 4, 1)
    message = r"`reward` must fit observations of shape "
    with pytest.raises(
        ValueError, match=message + r"\(3,\) .with obs_keys=.*\(4,\); select the leaves.*by `obs_keys`"
    ):
        LearnedReward(Arm(), folder, device="cpu", obs_keys=("goal",))
    with pytest.raises(ValueError, match=message + r"\(3,\).*`obs_keys` is for Dict"):
        LearnedReward(gym.make("Pendulum-v1"), folder, device="cpu")


def test_actions_of_another_size_are_noticed_at_once(tmp_path: Path) -> None:
    message = r"`reward` must fit actions of shape \(1,\) \(a Discrete action has one entry\).*shape \(2,\)"
    with pytest.raises(ValueError, match=message):
        LearnedReward(gym.make("CartPole-v1"), save(tmp_path, 4, 2), device="cpu")


def test_other_discrete_actions_are_noticed_at_once(tmp_path: Path) -> None:
    model = ShapedReward(MLPReward(RewardSettings(4, 1, inputs=("act",), n_actions=3)))
    with pytest.raises(ValueError, match=r"`reward` must fit actions of Discrete\(2\).*for Discrete\(3\)"):
        LearnedReward(gym.make("CartPole-v1"), model.save(tmp_path), device="cpu")


def test_unknown_leaves_are_listed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=re.escape("['arm/angle', 'arm/tip', 'goal']. Received ['wrist']")):
        LearnedReward(Arm(), save(tmp_path, 4, 1), device="cpu", obs_keys=["wrist"])
    with pytest.raises(ValueError, match="`keys` must be None unless the observation is a Dict"):
        LearnedReward(Scripted(), everything, device="cpu", obs_keys=["wrist"])


def test_other_action_spaces_are_refused() -> None:
    space = gym.spaces.Tuple([gym.spaces.Discrete(2)])
    with pytest.raises(
        ValueError, match="The action space must be Box, Discrete, MultiDiscrete or MultiBinary"
    ):
        LearnedReward(Scripted(space), everything, device="cpu")


def test_bad_arguments_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        LearnedReward(Scripted(), str(tmp_path / "nowhere"), device="cpu")
    with pytest.raises(ValueError, match=r"`scale` must be finite. Received nan"):
        LearnedReward(Scripted(), everything, device="cpu", scale=float("nan"))
    with pytest.raises(ValueError, match="`device` must be"):
        LearnedReward(Scripted(), everything, device="abacus")


def test_a_step_before_the_reset_is_refused() -> None:
    env = LearnedReward(Scripted(), everything, device="cpu")
    env.env.reset()
    with pytest.raises(ResetNeeded, match="Call `reset` before `step`"):
        env.step(np.zeros(2))


def test_info_has_one_structure_for_readers_of_info() -> None:
    # TorchRL and Minari take keys and types from the info of `reset`, and numpy values only.
    for env in (Scripted(), LearnedReward(Scripted(), everything, device="cpu")):
        wrapped = LearnedReward(env, everything, device="cpu")
        _, info = wrapped.reset()
        assert isinstance(info["env_reward"], np.float64)
        assert info["env_reward"] == 0.0
        info = wrapped.step(np.zeros(2))[4]
        assert isinstance(info["env_reward"], np.float64)
        assert info["env_reward"] == -1.0


@pytest.mark.cuda
def test_on_cuda_the_numbers_are_the_same(tmp_path: Path, cuda_device: str) -> None:
    folder = save(tmp_path, 3, 1)
    rewards = [
        rollout(LearnedReward(gym.make("Pendulum-v1"), folder, device=device))
        for device in ("cpu", cuda_device)
    ]
    np.testing.assert_allclose(*rewards, rtol=1e-4, atol=1e-5)
