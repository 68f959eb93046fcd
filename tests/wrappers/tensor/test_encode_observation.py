"""Encodings of an environment of tensors: equal to those of the twins, without a copy to the host."""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from drift_envs import SPACE, DriftEnv, DriftEnvs
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from host_copies import HostCopies
from noise_env import small_encoder
from torch import Tensor

from rlpriors.wrappers import EncodeObservation, VectorEncodeObservation
from rlpriors.wrappers.tensor import TensorEncodeObservation

N, STEPS = 3, 20
SAME_STEP = AutoresetMode.SAME_STEP


def actions_of(step: int) -> np.ndarray:
    return np.random.default_rng(step).uniform(-1, 1, (N, 2)).astype(np.float32)


def vector_twin(mode: AutoresetMode, **options: Any) -> VectorEncodeObservation:
    envs = SyncVectorEnv([partial(DriftEnv, i) for i in range(N)], autoreset_mode=mode)
    return VectorEncodeObservation(envs, small_encoder(), **options)


def close(found: Tensor, expected: Any) -> None:
    np.testing.assert_allclose(found.cpu().numpy(), np.asarray(expected), rtol=0, atol=1e-5)


def check_against_vector(envs: TensorEncodeObservation, twin: VectorEncodeObservation) -> int:
    """Step both and compare every output; return the number of episodes that ended."""
    ended, mode = 0, twin.autoreset.mode
    obs, expected = envs.reset()[0], twin.reset()[0]
    for step in range(STEPS):
        for name in expected:
            close(obs[name], expected[name])
        actions = actions_of(step)
        obs, rewards, terminated, truncated, info = envs.step(torch.as_tensor(actions, device=envs.device))
        expected, true_rewards, true_terminated, true_truncated, true_info = twin.step(actions)
        close(rewards, true_rewards)
        np.testing.assert_array_equal(terminated.cpu().numpy(), true_terminated)
        np.testing.assert_array_equal(truncated.cpu().numpy(), true_truncated)
        done = true_terminated | true_truncated
        ended += int(done.sum())
        if mode == SAME_STEP:
            np.testing.assert_array_equal(info["_final_obs"].cpu().numpy(), done)
            for row in range(N):  # rows without an ended episode repeat the observation
                final = true_info["final_obs"][row] if done[row] else {k: v[row] for k, v in expected.items()}
                for name in final:
                    close(info["final_obs"][name][row], final[name])
        if mode == AutoresetMode.DISABLED and done.any():
            mask = torch.as_tensor(done, device=envs.device)
            obs = envs.reset(options={"reset_mask": mask})[0]
            expected = twin.reset(options={"reset_mask": done.copy()})[0]
    return ended


OPTIONS: list[dict[str, Any]] = [
    {},
    {"stack": 3, "fuse": "flare"},
    {"stack": 2, "keep_pixels": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_equal_to_the_vector_wrapper(mode: AutoresetMode, options: dict[str, Any]) -> None:
    envs = TensorEncodeObservation(DriftEnvs(N, mode=mode), small_encoder(), **options)
    twin = vector_twin(mode, **options)
    assert envs.single_observation_space == twin.single_observation_space
    assert envs.observation_space == twin.observation_space
    assert check_against_vector(envs, twin) > 6
    envs.close()
    assert envs.env.closed


@pytest.mark.parametrize("readout", ["crops(1,2)", "topk-crops(2)", "motion-mask"])
def test_readouts_that_cut_frames(readout: str) -> None:
    encoder = small_encoder(readout=readout)
    envs = TensorEncodeObservation(DriftEnvs(N), encoder)
    vector = SyncVectorEnv([partial(DriftEnv, i) for i in range(N)], autoreset_mode=SAME_STEP)
    assert check_against_vector(envs, VectorEncodeObservation(vector, small_encoder(readout=readout))) > 6


def test_equal_to_single_environments() -> None:
    envs = TensorEncodeObservation(DriftEnvs(N), small_encoder(), stack=2)
    singles = [EncodeObservation(DriftEnv(i), small_encoder(), stack=2) for i in range(N)]
    obs, expected = envs.reset()[0], [env.reset()[0] for env in singles]
    for step in range(STEPS):
        for row in range(N):
            close(obs["camera"][row], expected[row]["camera"])
        actions = actions_of(step)
        obs, _, _, _, info = envs.step(torch.as_tensor(actions))
        for row, env in enumerate(singles):
            expected[row], _, terminated, truncated, _ = env.step(actions[row])
            if terminated or truncated:
                close(info["final_obs"]["camera"][row], expected[row]["camera"])
                expected[row] = env.reset()[0]


@pytest.mark.parametrize("final_key", ["final_observation", None])
def test_final_observations_of_other_libraries(final_key: str | None) -> None:
    envs = TensorEncodeObservation(DriftEnvs(N, final_key=final_key), small_encoder(), stack=2)
    plain = TensorEncodeObservation(DriftEnvs(N), small_encoder(), stack=2)
    envs.reset(), plain.reset()
    for step in range(STEPS):
        actions = torch.as_tensor(actions_of(step))
        obs, _, _, _, info = envs.step(actions)
        expected, _, _, _, true_info = plain.step(actions)
        close(obs["camera"], expected["camera"])
        assert "final_obs" not in info
        if final_key is not None:
            close(info[final_key]["camera"], true_info["final_obs"]["camera"])


def test_a_space_that_declares_unbounded_floats() -> None:
    """Isaac Lab and mjlab declare each observation so, and mjlab's spaces are its own."""

    class Box:
        def __init__(self, *shape: int) -> None:
            self.shape, self.low, self.high, self.dtype = shape, -float("inf"), float("inf"), "float32"

    raw = DriftEnvs(N)
    raw.single_observation_space = SimpleNamespace(spaces={"camera": Box(44, 44, 3), "state": Box(2)})
    raw.single_action_space = Box(2)
    with pytest.raises(ValueError, match="must hold an image"):
        TensorEncodeObservation(raw, small_encoder())
    envs = TensorEncodeObservation(raw, small_encoder(), single_observation_space=SPACE)
    assert envs.single_action_space.shape == (2,)
    close(envs.reset()[0]["camera"], vector_twin(SAME_STEP).reset()[0]["camera"])


class Ordered(gym.Wrapper):
    """A wrapper between an environment of Isaac Lab and ours, as `gym.make` adds it."""


class GymDrift(DriftEnvs, gym.Env):
    """An environment of tensors that is a `gymnasium.Env`, as in Isaac Lab."""


def test_attributes_behind_gymnasiums_wrappers() -> None:
    raw = GymDrift(N)
    raw.metadata = {}
    raw.observation_space = raw.action_space = SPACE
    envs = TensorEncodeObservation(Ordered(raw), small_encoder())
    assert envs.unwrapped is raw
    assert envs.autoreset_mode == SAME_STEP  # by `is_vector_env`
    assert envs.num_envs == N
    assert envs.reset()[0]["camera"].shape == (N, *envs.single_observation_space["camera"].shape)


def test_rows_are_reset_by_index() -> None:
    envs = TensorEncodeObservation(DriftEnvs(N, mode=AutoresetMode.DISABLED), small_encoder(), stack=2)
    first = envs.reset()[0]["camera"]
    moved = envs.step(torch.ones(N, 2))[0]["camera"]
    again = envs.reset(env_ids=torch.tensor([1]))[0]["camera"]
    for row, changed in enumerate([False, True, False]):
        assert torch.equal(again[row], moved[row]) is not changed
    half = again.shape[1] // 2
    assert torch.equal(again[1, :half], again[1, half:])  # the first frame of an episode fills the stack
    assert not torch.equal(again[0, :half], again[0, half:])
    assert torch.equal(again[0, :half], first[0, half:])


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "no such environment": (
        lambda: TensorEncodeObservation(DriftEnv(), small_encoder()),
        TypeError,
        r"Received a DriftEnv without \['num_envs', 'single_observation_space', 'single_action_space'\]",
    ),
    "another option": (
        lambda: TensorEncodeObservation(DriftEnvs(), small_encoder(), cache="frame"),
        TypeError,
        "`cache` must not be passed",
    ),
    "another mode": (
        lambda: TensorEncodeObservation(DriftEnvs(), small_encoder(), autoreset_mode=AutoresetMode.DISABLED),
        ValueError,
        "`autoreset_mode` must be AutoresetMode.SAME_STEP.*which DriftEnvs declares",
    ),
    "a step before the reset": (
        lambda: TensorEncodeObservation(DriftEnvs(), small_encoder()).step(torch.zeros(3, 2)),
        ResetNeeded,
        "Call `reset` before `step`",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_it_refuses(case: str) -> None:
    make, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        make()


def test_an_environment_without_a_mode_or_a_device() -> None:
    class Bare(DriftEnvs):
        is_vector_env = False

    raw = Bare()
    raw.metadata = {}
    with pytest.raises(ValueError, match=r"Bare declares none\. Received None"):
        TensorEncodeObservation(raw, small_encoder())
    assert TensorEncodeObservation(raw, small_encoder(), autoreset_mode=SAME_STEP).autoreset.mode == SAME_STEP
    raw.auto_reset = False
    assert TensorEncodeObservation(raw, small_encoder()).autoreset_mode == AutoresetMode.DISABLED
    raw.device = None
    with pytest.raises(ValueError, match='Received "auto" for a Bare without an attribute `device`'):
        TensorEncodeObservation(raw, small_encoder())
    assert TensorEncodeObservation(raw, small_encoder(), device="cpu").device == torch.device("cpu")


def test_arrays_are_refused() -> None:
    class Arrays(DriftEnvs):
        def observe(self) -> Any:
            return {name: leaf.numpy() for name, leaf in super().observe().items()}

    with pytest.raises(ValueError, match=r"The observation 'camera' must be a tensor on cpu.*numpy\.ndarray"):
        TensorEncodeObservation(Arrays(), small_encoder()).reset()


@pytest.mark.cuda
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_nothing_is_copied_to_the_host(options: dict[str, Any], cuda_device: str) -> None:
    envs = TensorEncodeObservation(DriftEnvs(N, cuda_device), small_encoder(), **options)
    assert envs.observation_encoder.encoder.device.type == cuda_device
    actions = [torch.as_tensor(actions_of(step), device=cuda_device) for step in range(STEPS)]
    with HostCopies() as copies:
        envs.reset()
        for action in actions:
            obs, rewards, terminated, truncated, info = envs.step(action)
    assert copies.moved == []
    results = [*obs.values(), rewards, terminated, truncated, *info["final_obs"].values(), info["_final_obs"]]
    assert {tensor.device.type for tensor in results} == {cuda_device}
    fresh = TensorEncodeObservation(DriftEnvs(N, cuda_device), small_encoder(), **options)
    assert check_against_vector(fresh, vector_twin(SAME_STEP, **options)) > 6


@pytest.mark.cuda
def test_the_count_of_copies_sees_a_copy(cuda_device: str) -> None:
    x = torch.ones(3, device=cuda_device)
    with HostCopies() as copies:
        (2 * x).sum()
        assert copies.moved == copies.read == []
        x.cpu()
        torch.zeros(3).to(cuda_device)
        assert len(copies.moved) == 2
        assert bool(x.any())
        assert len(copies.read) == 1


@pytest.mark.cuda
def test_observations_of_another_device_are_refused(cuda_device: str) -> None:
    envs = TensorEncodeObservation(DriftEnvs(N), small_encoder(), device=cuda_device)
    with pytest.raises(ValueError, match=rf"tensor on {cuda_device}:0, .*Received a tensor on cpu"):
        envs.reset()
