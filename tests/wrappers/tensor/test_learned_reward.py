"""Learned rewards of an environment of tensors: equal to those of the twins, without a copy to the host."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from drift_envs import DriftEnv, DriftEnvs
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from host_copies import HostCopies
from noise_env import small_encoder

from rlpriors.rewards import MLPReward, RewardSettings, load_reward
from rlpriors.wrappers import LearnedReward, VectorLearnedReward
from rlpriors.wrappers.tensor import TensorEncodeObservation, TensorLearnedReward

N, STEPS, KEYS = 3, 25, ("state",)
SAME_STEP = AutoresetMode.SAME_STEP


def all_inputs(obs, act, obs_next, terminated):
    return obs.sum(1) + 10 * act.sum(1) - 3 * obs_next[:, 0] + 100 * terminated


def actions_of(step: int) -> np.ndarray:
    return np.random.default_rng(step).uniform(-1, 1, (N, 2)).astype(np.float32)


def check_against_vector(envs: TensorLearnedReward, twin: VectorLearnedReward) -> int:
    """Step both and compare rewards and masks; return the number of episodes that ended."""
    ended, mode = 0, twin.autoreset.mode
    assert envs.reset()[1]["env_reward"].tolist() == [0.0] * N
    twin.reset()
    for step in range(STEPS):
        actions = actions_of(step)
        _, rewards, terminated, truncated, info = envs.step(torch.as_tensor(actions, device=envs.device))
        _, expected, _, _, true_info = twin.step(actions)
        assert rewards.dtype == torch.float32
        np.testing.assert_allclose(rewards.cpu().numpy(), expected, rtol=1e-5, atol=1e-5)
        for key in ("env_reward", "_env_reward"):
            np.testing.assert_allclose(info[key].cpu().numpy(), true_info[key], atol=1e-6)
        done = (terminated | truncated).cpu().numpy()
        ended += int(done.sum())
        if mode == AutoresetMode.DISABLED and done.any():
            envs.reset(options={"reset_mask": torch.as_tensor(done, device=envs.device)})
            twin.reset(options={"reset_mask": done.copy()})
    return ended


def vector_twin(mode: AutoresetMode, reward: Any = all_inputs) -> VectorLearnedReward:
    envs = SyncVectorEnv([partial(DriftEnv, i) for i in range(N)], autoreset_mode=mode)
    return VectorLearnedReward(envs, reward, device="cpu", scale=0.5, obs_keys=KEYS)


@pytest.mark.parametrize("final_key", ["final_obs", "final_observation"])
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_equal_to_the_vector_wrapper(mode: AutoresetMode, final_key: str) -> None:
    raw = DriftEnvs(N, mode=mode, final_key=final_key)
    envs = TensorLearnedReward(raw, all_inputs, scale=0.5, obs_keys=KEYS)
    assert check_against_vector(envs, vector_twin(mode)) > 6
    envs.close()
    assert raw.closed


def test_equal_to_single_environments() -> None:
    envs = TensorLearnedReward(DriftEnvs(N), all_inputs, obs_keys=KEYS)
    singles = [LearnedReward(DriftEnv(i), all_inputs, device="cpu", obs_keys=KEYS) for i in range(N)]
    envs.reset()
    for env in singles:
        env.reset()
    for step in range(STEPS):
        _, rewards, _, _, info = envs.step(torch.as_tensor(actions_of(step)))
        for row, env in enumerate(singles):
            _, expected, terminated, truncated, true_info = env.step(actions_of(step)[row])
            assert rewards[row].item() == pytest.approx(expected, abs=1e-5)
            assert info["env_reward"][row].item() == pytest.approx(float(true_info["env_reward"]))
            if terminated or truncated:
                env.reset()


def test_the_environments_buffers_are_copied() -> None:
    """The toy writes its rewards into one tensor at each step, as simulators do."""
    envs = TensorLearnedReward(DriftEnvs(N), all_inputs, obs_keys=KEYS)
    envs.reset()
    first = envs.step(torch.ones(N, 2))[4]["env_reward"]
    kept = first.clone()
    envs.step(-torch.ones(N, 2))
    assert torch.equal(first, kept)


def test_without_final_observations() -> None:
    def next_x(obs, act, obs_next, terminated):
        return obs_next[:, 0]

    envs = TensorLearnedReward(DriftEnvs(N, final_key=None), next_x, obs_keys=KEYS)
    envs.reset()
    for _ in range(2):
        envs.step(torch.zeros(N, 2))
    with pytest.raises(ValueError, match=r"`info` must hold the final observations.*keys \['success'\]"):
        envs.step(torch.full((N, 2), 9.0))
    raw = DriftEnvs(N, final_key=None)
    envs = TensorLearnedReward(raw, next_x, obs_keys=KEYS, missing_final_obs="repeat")
    before, ended = envs.reset()[0]["state"], 0
    for step in range(STEPS):
        obs, rewards, terminated, truncated, _ = envs.step(torch.as_tensor(actions_of(step)))
        for row in range(N):
            done = bool(terminated[row] | truncated[row])
            ended += done
            assert rewards[row] == (before if done else obs["state"])[row, 0]
        before = obs["state"]
    assert ended > 6


def test_a_saved_reward_over_encodings(tmp_path: Path) -> None:
    encoder = small_encoder()
    size = encoder.output_shape[0]
    folder = MLPReward(RewardSettings(size + 2, 2, obs_keys=("state", "camera"), hidden=(8,))).save(tmp_path)
    envs = TensorLearnedReward(TensorEncodeObservation(DriftEnvs(N), encoder), folder)
    assert envs.reward_adapter.obs_keys == ("state", "camera")
    reward = load_reward(folder, "cpu")
    before = envs.reset()[0]
    for step in range(STEPS):
        actions = torch.as_tensor(actions_of(step))
        obs, rewards, terminated, _, info = envs.step(actions)
        after = info["final_obs"]  # its rows without an ended episode are the observations
        rows = [torch.cat([one["state"], one["camera"]], 1) for one in (before, after)]
        expected = reward(rows[0], actions, rows[1], terminated)
        assert torch.allclose(rewards, expected, atol=1e-5)
        before = obs
    assert torch.equal(envs.env.env.index, torch.arange(N))
    assert torch.equal(envs.index, torch.arange(N))  # attributes of the environment


def test_what_it_refuses(tmp_path: Path) -> None:
    folder = MLPReward(RewardSettings(5, 2)).save(tmp_path)
    with pytest.raises(ValueError, match=r"`reward` must fit observations of shape \(2,\)"):
        TensorLearnedReward(DriftEnvs(), folder, obs_keys=KEYS)
    envs = TensorLearnedReward(DriftEnvs(), all_inputs, obs_keys=KEYS)
    with pytest.raises(ResetNeeded, match="Call `reset` before `step`"):
        envs.step(torch.zeros(3, 2))
    with pytest.raises(ResetNeeded, match="Call `reset` before `step`"):
        envs.reset(env_ids=torch.tensor([0]))
    envs.reset()
    with pytest.raises(ValueError, match=r"`actions` must be tensors on cpu.*Received a ndarray"):
        envs.step(np.zeros((3, 2), np.float32))
    with pytest.raises(ResetNeeded):  # an exception interrupted the step
        envs.step(torch.zeros(3, 2))


def test_rewards_that_are_not_finite_and_final_observations_of_other_sizes() -> None:
    def broken(obs, act, obs_next, terminated):
        return torch.where(obs[:, 0] == obs[:, 0].max(), torch.nan, 0.0)

    envs = TensorLearnedReward(DriftEnvs(), broken, obs_keys=KEYS)
    envs.reset()
    with pytest.raises(ValueError, match=r"finite numbers\. Received nan for obs"):
        envs.step(torch.zeros(3, 2))

    class Ended(DriftEnvs):
        def step(self, actions: torch.Tensor) -> Any:
            obs, rewards, terminated, truncated, info = super().step(actions)
            final = {name: leaf[:1] for name, leaf in info["final_obs"].items()}
            return obs, rewards, terminated, truncated, {**info, "final_obs": final}

    envs = TensorLearnedReward(Ended(), all_inputs, obs_keys=KEYS)
    envs.reset()
    with pytest.raises(
        ValueError, match=r"a row for each of the 3 environments.*\(1, 44, 44, 3\) at 'camera'"
    ):
        envs.step(torch.zeros(3, 2))


@pytest.mark.cuda
@pytest.mark.parametrize("final_key", ["final_obs", None])
def test_nothing_is_copied_to_the_host(final_key: str | None, tmp_path: Path, cuda_device: str) -> None:
    folder = MLPReward(RewardSettings(2, 2, inputs=("obs", "act", "obs_next"), hidden=(8,))).save(tmp_path)
    raw = DriftEnvs(N, cuda_device, final_key=final_key)
    envs = TensorLearnedReward(raw, folder, scale=0.5, obs_keys=KEYS, missing_final_obs="repeat")
    actions = [torch.as_tensor(actions_of(step), device=cuda_device) for step in range(STEPS)]
    envs.reset()
    with HostCopies() as copies:
        for action in actions:
            _, rewards, _, _, info = envs.step(action)
    assert copies.moved == []
    assert len(copies.read) == STEPS  # the check for finite rewards
    assert {rewards.device.type, info["env_reward"].device.type} == {cuda_device}
    if final_key is not None:
        envs = TensorLearnedReward(DriftEnvs(N, cuda_device), folder, scale=0.5, obs_keys=KEYS)
        assert check_against_vector(envs, vector_twin(SAME_STEP, folder)) > 6
