"""EnvPool: equal encodings and rewards from the twins, and Tianshou's collectors over its environments."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode
from noise_env import alone, by_definition, small_encoder
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.trainer import OffPolicyTrainerParams, OnPolicyTrainerParams

from rlpriors.agents.online.factory import make_algorithm
from rlpriors.agents.online.settings import AlgorithmName, AlgorithmSettings
from rlpriors.spaces import action_spaces, wrapped_spaces
from rlpriors.wrappers import VectorEncodeObservation, VectorLearnedReward
from rlpriors.wrappers.images.frame_stack_wrappers import observes_stack
from rlpriors.wrappers.tianshou import EnvPoolVectorEnv, TianshouEncodeObservation, TianshouLearnedReward

envpool = pytest.importorskip("envpool", reason="EnvPool is not installed: `make test-peers`")

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore:.*precision lowered by casting", "ignore:EnvPool seeds are fixed"),
]

N = 3


def pong(**options: Any) -> Any:
    settings = {"num_envs": N, "seed": 3, "stack_num": 2, "max_episode_steps": 7, **options}
    return envpool.make("Pong-v5", env_type="gymnasium", **settings)


def pendulum() -> Any:
    return envpool.make("Pendulum-v1", env_type="gymnasium", num_envs=N, seed=3, max_episode_steps=9)


def height(obs, act, obs_next, terminated):
    return obs[:, 0] + 10 * act[:, 0] - 3 * obs_next[:, 1]


@pytest.mark.parametrize("backend", ["torch", "openvino", "auto"])
def test_stacks_of_the_games_are_encoded_frame_by_frame(backend: str) -> None:
    encoder = small_encoder(backend=backend)
    assert observes_stack(pong()) is observes_stack(EnvPoolVectorEnv(pong())) is True
    assert observes_stack(pong(gray_scale=False)) is observes_stack(pendulum()) is False
    envs, raw = VectorEncodeObservation(pong(), encoder), pong()
    assert envs.autoreset.mode == AutoresetMode.NEXT_STEP
    frames, encoded = raw.reset()[0], envs.reset()[0]
    for _ in range(16):  # beyond the end of two episodes
        expected = [np.concatenate([alone(encoder, frame) for frame in stack]) for stack in frames]
        np.testing.assert_allclose(encoded, np.stack(expected), rtol=0, atol=1e-5)
        frames, encoded = raw.step(np.full(N, 2))[0], envs.step(np.full(N, 2))[0]
    venv, raw = TianshouEncodeObservation(EnvPoolVectorEnv(pong()), encoder), pong()
    frames, encoded = raw.reset()[0], venv.reset()[0]
    for _ in range(4):
        expected = [np.concatenate([alone(encoder, frame) for frame in stack]) for stack in frames]
        np.testing.assert_allclose(encoded, np.stack(expected), rtol=0, atol=1e-5)
        frames, encoded = raw.step(np.full(N, 2))[0], venv.step(np.full(N, 2))[0]


def test_the_wrappers_stack_begins_with_each_episode() -> None:
    encoder = small_encoder()
    envs, raw = VectorEncodeObservation(pong(stack_num=1), encoder, stack=3), pong(stack_num=1)
    episode, encoded, ended = [raw.reset()[0]], envs.reset()[0], 0
    for _ in range(20):
        for row in range(N):
            expected = by_definition(encoder, [frames[row, 0] for frames in episode], 3)
            np.testing.assert_allclose(encoded[row], expected, rtol=0, atol=1e-5)
        frames, _, _, _, info = raw.step(np.full(N, 2))
        encoded, _, _, _, encoded_info = envs.step(np.full(N, 2))
        np.testing.assert_array_equal(encoded_info["ram"], info["ram"])
        assert info["ram"].shape == (N, 128)
        starts = info["elapsed_step"] == 0
        assert starts.all() or not starts.any()  # all are truncated together
        ended += int(starts.all())
        episode = [frames] if starts.all() else [*episode, frames]
    assert ended == 2


def test_learned_rewards_are_those_of_the_definition() -> None:
    envs, raw = VectorLearnedReward(pendulum(), height, device="cpu", scale=2.0), pendulum()
    obs, rng = raw.reset()[0], np.random.default_rng(0)
    envs.reset()
    for _ in range(25):
        act = rng.uniform(-2, 2, (N, 1)).astype(np.float32)
        obs_next, env_reward, _, _, info = raw.step(act)
        _, reward, _, _, learned_info = envs.step(act)
        stepped = info["elapsed_step"] > 0
        expected = 2 * (obs[:, 0] + 10 * act[:, 0] - 3 * obs_next[:, 1])
        np.testing.assert_allclose(reward, np.where(stepped, expected, 0), rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(learned_info["env_reward"], env_reward)
        np.testing.assert_array_equal(learned_info["_env_reward"], stepped)
        obs = obs_next


def test_what_the_vector_wrappers_refuse() -> None:
    for wrapper in (VectorEncodeObservation, VectorLearnedReward):
        source = small_encoder() if wrapper is VectorEncodeObservation else height
        with pytest.raises(ValueError, match=r"returns 2 of them; leave batch_size out"):
            wrapper(pong(batch_size=2), source)
    envs = VectorEncodeObservation(pong(), small_encoder())
    envs.reset()
    with pytest.raises(ValueError, match=r"a row for each of its 3 environments. Received 1 rows"):
        envs.reset(options={"reset_mask": np.array([True, False, False])})


def test_the_adapter_steps_and_resets_some_environments() -> None:
    venv, raw = EnvPoolVectorEnv(pong()), pong()
    frames, infos = venv.reset()
    np.testing.assert_array_equal(frames, raw.reset()[0])
    assert [info["env_id"] for info in infos] == [0, 1, 2]
    assert infos[1]["ram"].shape == (128,)
    some, rew, terminated, truncated, infos = venv.step(np.array([2, 3]), [2, 0])
    assert [info["env_id"] for info in infos] == [2, 0]
    assert [info["elapsed_step"] for info in infos] == [1, 1]
    expected = raw.step(np.array([3, 2]), np.array([0, 2], np.int32))[0]
    np.testing.assert_array_equal(some, expected[::-1])
    assert rew.shape == terminated.shape == truncated.shape == (2,)
    for _ in range(6):
        _, _, _, truncated, infos = venv.step(np.zeros(N, int))
    assert truncated.tolist() == [True, False, True]
    with pytest.raises(ResetNeeded, match=r"environments \[0, 2\]"):
        venv.step(np.zeros(N, int))
    venv.reset([0, 2])
    steps = [info["elapsed_step"] for info in venv.step(np.zeros(N, int))[4]]
    assert steps == [1, 7, 1]  # the step after the reset is a transition
    venv.close()


def test_spaces_and_attributes_of_the_adapter() -> None:
    venv = EnvPoolVectorEnv(pong())
    assert wrapped_spaces(venv).observation.shape == (2, 84, 84)
    assert venv.action_space == action_spaces(venv) == [gym.spaces.Discrete(6)] * N
    samples = []
    for _ in range(2):
        venv.seed(5)
        samples.append([space.sample() for _ in range(4) for space in venv.action_space])
    assert samples[0] == samples[1]
    assert len(set(samples[0])) > 1
    assert venv.get_env_attr("render_mode", 1) == [None]
    encoded = TianshouEncodeObservation(venv, small_encoder())
    assert wrapped_spaces(encoded).observation == encoded.single_observation_space
    with pytest.raises(ValueError, match=r"setting of `envpool\.make`"):
        venv.set_env_attr("lives", 3)
    with pytest.raises(TypeError, match=r"must be an environment of EnvPool.*Received a DummyVectorEnv"):
        EnvPoolVectorEnv(DummyVectorEnv([lambda: gym.make("CartPole-v1")]))
    with pytest.raises(ValueError, match="returns 2 of them"):
        EnvPoolVectorEnv(pong(batch_size=2))


def test_a_collector_gathers_whole_episodes() -> None:
    """Transitions of the adapter against EnvPool alone, and encodings and rewards in the buffer."""
    encoder = small_encoder()
    venv = TianshouEncodeObservation(EnvPoolVectorEnv(pong(stack_num=1)), encoder, stack=2)
    venv = TianshouLearnedReward(venv, lambda obs, act, obs_next, terminated: obs_next.sum(1) + act[:, 0])
    buffer = VectorReplayBuffer(100, N)
    algorithm = make_algorithm(*wrapped_spaces(venv), AlgorithmSettings("dqn", hidden=(8,)), device="cpu")
    collector = Collector[Any](algorithm, venv, buffer)
    collector.reset()
    stats = collector.collect(n_step=60, random=True)
    assert stats.n_collected_steps == 60
    rows, _ = buffer.sample(0)
    assert rows.info.ram.shape == (60, 128)
    elapsed = np.asarray(rows.info.elapsed_step)
    np.testing.assert_array_equal(rows.truncated, elapsed == 7)
    assert sorted(set(elapsed.tolist())) == list(range(1, 8))  # no transition is a mere reset
    np.testing.assert_allclose(rows.rew, rows.obs_next.sum(1) + rows.act, rtol=1e-4)
    half = wrapped_spaces(venv).observation.shape[0] // 2
    np.testing.assert_allclose(rows.obs_next[:, :half], rows.obs[:, half:], atol=1e-5)
    first = rows.obs[elapsed == 1]  # the first frame of an episode fills the stack
    np.testing.assert_array_equal(first[:, :half], first[:, half:])


@pytest.mark.parametrize("name", ["dqn", "ppo"])
def test_agents_train_over_the_adapter(name: AlgorithmName) -> None:
    venv = TianshouEncodeObservation(EnvPoolVectorEnv(pong()), small_encoder())
    spaces = wrapped_spaces(venv)
    algorithm = make_algorithm(*spaces, AlgorithmSettings(name, hidden=(8,)), device="cpu")
    before = [weight.clone() for weight in algorithm.parameters()]
    collector = Collector[Any](algorithm, venv, VectorReplayBuffer(100, N))
    options: dict[str, Any] = {"training_collector": collector, "test_collector": None, "max_epochs": 1}
    if name == "dqn":
        algorithm.run_training(
            OffPolicyTrainerParams(
                epoch_num_steps=30, collection_step_num_env_steps=15, batch_size=8, verbose=False, **options
            )
        )
    else:
        algorithm.run_training(
            OnPolicyTrainerParams(
                epoch_num_steps=30,
                collection_step_num_env_steps=15,
                batch_size=8,
                update_step_num_repetitions=1,
                verbose=False,
                **options,
            )
        )
    after = list(algorithm.parameters())
    assert any(not torch.equal(old, new) for old, new in zip(before, after, strict=True))
    assert all(weight.isfinite().all() for weight in after)
