"""All offline algorithms: units, seeds, resuming bit-equal, and policies that load."""

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from bandits import DISCRETE, PLANE, arms, noisy_pushes
from tianshou.data import Batch, ReplayBuffer
from tianshou.trainer import OfflineTrainerParams

from rlpriors.agents import OfflineSettings, load_policy, make_offline_algorithm, save_policy
from rlpriors.agents.offline.seeded_training import TransitionBuffer
from rlpriors.checkpoint import CheckpointError, load_resume, save_resume
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.data.normalize import Normalizer

WIDE = gym.spaces.Box(np.array([-4.0], np.float32), np.array([2.0], np.float32))
CASES = [
    ("iql", {}, False),
    ("iql", {"deterministic": True}, False),
    ("iql", {}, True),
    ("td3-bc", {}, False),
    ("cql", {}, False),
    ("cql", {}, True),
    ("bc", {}, False),
    ("bc", {}, True),
]
IDS = [f"{name}{'-deterministic' * bool(kw)}{'-discrete' * d}" for name, kw, d in CASES]


def walks(discrete: bool) -> EpisodeStore:
    """Three episodes: two truncated, one terminated; Box actions span the whole of `WIDE`."""
    rng = np.random.default_rng(3)
    episodes = []
    for number in range(3):
        act = rng.integers(3, size=10) if discrete else rng.uniform(-4, 2, (10, 1)).astype(np.float32)
        flags = np.zeros((2, 10), bool)
        flags[int(number < 2), -1] = True
        episodes.append(Episode(rng.normal(size=(11, 2)), act, rng.normal(size=10), *flags))
    return EpisodeStore.from_episodes(episodes, action_space=DISCRETE if discrete else WIDE)


def make(name: str, changes: dict[str, Any], discrete: bool, data: EpisodeStore, **arguments: Any) -> Any:
    """Return an algorithm and its settings."""
    settings = OfflineSettings(name, hidden=(8,), **changes)
    space = DISCRETE if discrete else WIDE
    normalizer = Normalizer.gaussian(data.obs)
    return make_offline_algorithm(
        PLANE, space, settings, obs_normalizer=normalizer, device="cpu", **arguments
    ), settings


def train(algorithm: Any, data: EpisodeStore, n: int) -> None:
    """Train until `n` updates are done."""
    params = OfflineTrainerParams(
        buffer=to_buffer(data),
        batch_size=8,
        max_epochs=1,
        epoch_num_steps=n - int(algorithm.updates),
        show_progress=False,
        verbose=False,
    )
    algorithm.run_training(params)


@pytest.mark.parametrize(("name", "changes", "discrete"), CASES, ids=IDS)
def test_a_resumed_training_is_bit_equal(
    name: str, changes: dict[str, Any], discrete: bool, tmp_path: Any
) -> None:
    data = walks(discrete)
    whole, _ = make(name, changes, discrete, data)
    train(whole, data, 6)
    half, _ = make(name, changes, discrete, data)
    train(half, data, 3)
    save_resume(tmp_path / "state.pt", half.resume_state())
    torch.manual_seed(99)  # the global generator has no influence
    resumed, _ = make(name, changes, discrete, data, seed=0)
    resumed.resume(load_resume(tmp_path / "state.pt", torch.device("cpu")))
    train(resumed, data, 6)
    assert int(resumed.updates) == int(whole.updates) == 6
    expected, received = whole.state_dict(), resumed.state_dict()
    expected.pop("_optimizers"), received.pop("_optimizers")
    assert expected.keys() == received.keys()
    assert all(torch.equal(expected[key], received[key]) for key in expected)
    untrained, _ = make(name, changes, discrete, data)
    assert any(
        not torch.equal(a, b)
        for a, b in zip(untrained.policy.parameters(), whole.policy.parameters(), strict=True)
    )


@pytest.mark.parametrize(("name", "changes", "discrete"), CASES, ids=IDS)
def test_a_saved_policy_loads_as_those_of_online_training(
    name: str, changes: dict[str, Any], discrete: bool, tmp_path: Any
) -> None:
    data = walks(discrete)
    algorithm, settings = make(name, changes, discrete, data)
    train(algorithm, data, 2)
    folder = save_policy(algorithm.policy, settings.policy_settings(discrete=discrete), tmp_path / "policy")
    loaded = load_policy(folder, PLANE, DISCRETE if discrete else WIDE, device="cpu")
    batch = Batch(obs=np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32), info={})
    policy = algorithm.policy.eval()
    with torch.no_grad():
        first, second = (p.map_action(p(batch).act) for p in (policy, loaded))
    np.testing.assert_array_equal(first, second)
    if not discrete:
        assert first.min() >= -4
        assert first.max() <= 2


def test_actions_are_in_units_of_the_policy_and_rewards_scaled() -> None:
    data = walks(discrete=False)
    algorithm, _ = make("td3-bc", {"reward_scale": 2.0}, False, data)
    buffer = algorithm.process_buffer(to_buffer(data))
    assert isinstance(buffer, TransitionBuffer)
    np.testing.assert_allclose(buffer.act, (data.act + 1) / 3, atol=1e-6)  # -4..2 to -1..1
    np.testing.assert_allclose(buffer.rew, 2 * data.rew, rtol=1e-6)
    returns = data.rew.reshape(3, 10).sum(1)
    automatic, _ = make("td3-bc", {}, False, data)
    scaled = automatic.process_buffer(to_buffer(data)).rew.reshape(3, 10).sum(1)
    assert np.ptp(scaled) == pytest.approx(10)  # the mean length
    np.testing.assert_allclose(scaled / returns, 10 / np.ptp(returns), rtol=1e-5)


def test_cql_keeps_the_value_after_a_truncation_and_compares_with_actions_of_the_whole_range() -> None:
    data = walks(discrete=False)
    algorithm, _ = make("cql", {}, False, data)
    buffer = algorithm.process_buffer(to_buffer(data))
    batch, indices = buffer.sample(0)
    assert batch.done.sum() == 3
    batch = algorithm._preprocess_batch(batch, buffer, indices)
    np.testing.assert_array_equal(np.flatnonzero(batch.done), np.flatnonzero(data.terminated))
    assert batch.done.sum() == 1
    seen: list[torch.Tensor] = []
    algorithm.critic.register_forward_hook(lambda module, inputs, output: seen.append(inputs[1]))
    algorithm.policy.is_within_training_step = True  # a trainer does this
    algorithm.update(buffer, 30)
    repeated = [act for act in seen if len(act) == 300]
    uniform = repeated[-1]  # after those of the policy at both observations
    assert -1 <= uniform.min() < -0.9
    assert 0.9 < uniform.max() <= 1
    assert abs(uniform.mean().item()) < 0.2


def test_other_data_or_rewards_or_settings_are_not_resumed() -> None:
    data = noisy_pushes(40, seed=0)
    settings = OfflineSettings(hidden=(4,), normalize_observations=False)
    spaces = PLANE, data.action_space
    algorithm = make_offline_algorithm(*spaces, settings, device="cpu")
    train(algorithm, data, 2)
    again = make_offline_algorithm(*spaces, settings, device="cpu")
    again.resume(algorithm.resume_state())
    with pytest.raises(CheckpointError, match="was trained with data"):
        again.check_resumed_data(to_buffer(replace(data, rew=data.rew + 1)))
    other = make_offline_algorithm(*spaces, replace(settings, expectile=0.9), device="cpu")
    with pytest.raises(CheckpointError, match=r"expectile 0.7 \(now 0.9\)"):
        other.resume(algorithm.resume_state())


def test_what_does_not_fit_is_refused() -> None:
    data = noisy_pushes(8, seed=0)
    settings = OfflineSettings(hidden=(4,), normalize_observations=False)
    algorithm = make_offline_algorithm(PLANE, data.action_space, settings, device="cpu")
    dictionary = ReplayBuffer(4)
    step = {"act": np.zeros(1), "rew": 0.0, "terminated": False, "truncated": False}
    dictionary.add(Batch(obs={"a": np.zeros(2)}, obs_next={"a": np.zeros(2)}, **step))
    with pytest.raises(ValueError, match=r"`buffer` must hold vectors for observations\. Received Dict"):
        algorithm.process_buffer(dictionary)
    wide = replace(data, obs=np.zeros((16, 3), np.float32))
    with pytest.raises(ValueError, match=r"policy's shape \(2,\). Received \(3,\)"):
        algorithm.process_buffer(to_buffer(wide))
    with pytest.raises(ValueError, match="`action_space` must be Box for 'td3-bc'"):
        make_offline_algorithm(PLANE, DISCRETE, OfflineSettings("td3-bc"), device="cpu")
    with pytest.raises(ValueError, match="action"):
        algorithm.process_buffer(to_buffer(arms(8, seed=0)))
