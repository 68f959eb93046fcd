"""CleanRL-style loops: the code of the page, in the three autoreset modes, against steps by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import page_blocks
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from noise_env import NoiseEnv, alone, assert_close, small_encoder
from peer_envs import brightness

from rlpriors.wrappers import VectorEncodeObservation, VectorLearnedReward

pytestmark = pytest.mark.peers

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "with_cleanrl.md"
N, STEPS, SEED = 3, 30, 11
GAMMA, LAM = 0.9, 0.8
MODES = pytest.mark.parametrize("mode", list(AutoresetMode))


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """Functions of the page."""
    return page_blocks.run_blocks(PAGE)


def collect(page: dict[str, Any], mode: AutoresetMode, parts: int = 1) -> Any:
    """Return a rollout of noise images with random actions, in one call of `collect` or in several."""
    envs = VectorEncodeObservation(SyncVectorEnv([NoiseEnv] * N, autoreset_mode=mode), small_encoder())
    envs = VectorLearnedReward(envs, brightness, device="cpu")
    rng = np.random.default_rng(0)
    (obs, _), done, rollouts = envs.reset(seed=SEED), np.zeros(N, bool), []
    for _ in range(parts):
        rollout, obs, done = page["collect"](
            envs, lambda obs: rng.integers(0, 2, N), obs, done, STEPS // parts
        )
        rollouts.append(rollout)
    envs.close()
    return page["Rollout"](*map(np.concatenate, zip(*rollouts, strict=True)))


def value(obs: np.ndarray) -> np.ndarray:
    """Value function of features."""
    return 3 * obs.mean(-1) + obs[..., 0]


def by_hand(i: int, actions: np.ndarray) -> list[dict[str, Any]]:
    """Step environment `i` alone; return its transitions with the advantages of each whole episode."""
    encoder, env = small_encoder(), NoiseEnv()
    obs, rows, episode = alone(encoder, env.reset(seed=SEED + i)[0]), [], []
    for t, action in enumerate(actions):
        frame, _, terminated, truncated, _ = env.step(int(action))
        obs_next = alone(encoder, frame)
        reward = brightness(obs[None], np.array([[action]]), obs_next[None], terminated)[0]
        error = reward + (0 if terminated else GAMMA * value(obs_next)) - value(obs)
        row = {"obs": obs, "rew": reward, "obs_next": obs_next, "terminated": terminated, "error": error}
        episode.append(row | {"done": terminated or truncated})
        obs = obs_next
        if terminated or truncated or t == len(actions) - 1:
            for k, one in enumerate(episode):
                rest = [later["error"] for later in episode[k:]]
                one["advantage"] = sum((GAMMA * LAM) ** j * error for j, error in enumerate(rest))
            rows += episode
            obs, episode = alone(encoder, env.reset()[0]), []
    return rows


@MODES
def test_transitions_and_targets_equal_those_by_hand(page: dict[str, Any], mode: AutoresetMode) -> None:
    rollout = collect(page, mode)
    advantages = page["advantages"](rollout, value(rollout.obs), value(rollout.obs_next), GAMMA, LAM)

    def q(obs: torch.Tensor) -> torch.Tensor:
        return torch.stack([obs.mean(-1), obs[..., 1]], -1)

    targets = page["q_targets"](q, rollout, GAMMA)
    for i in range(N):
        valid = rollout.valid[:, i]
        rows = by_hand(i, rollout.act[valid, i])
        columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        assert columns["terminated"].sum() >= 1
        assert (columns["done"] & ~columns["terminated"]).sum() >= 1
        for name in ("obs", "rew", "obs_next", "terminated", "done"):
            assert_close(getattr(rollout, name)[valid, i], columns[name])
        assert_close(advantages[valid, i], columns["advantage"])
        following = np.maximum(columns["obs_next"].mean(-1), columns["obs_next"][:, 1])
        expected = columns["rew"] + GAMMA * following * ~columns["terminated"]
        assert_close(targets[valid, i], expected)
        # The step after the end of an episode only resets, in this mode.
        only_resets = rollout.done[:-1, i].sum() if mode == AutoresetMode.NEXT_STEP else 0
        assert (~valid).sum() == only_resets
        assert (rollout.rew[~valid, i] == 0).all()


@MODES
def test_a_rollout_continues_the_last_one(page: dict[str, Any], mode: AutoresetMode) -> None:
    for name, whole, parts in zip(
        page["Rollout"]._fields, collect(page, mode), collect(page, mode, parts=5), strict=True
    ):
        np.testing.assert_allclose(whole, parts, rtol=1e-5, atol=1e-6, err_msg=name)


def test_advantages_of_a_truncated_and_a_terminated_episode(page: dict[str, Any]) -> None:
    """Three steps, gamma = lambda = 1/2.

    The second step is truncated: 2 + 3/2 - 1 = 2.5.  The third terminates: 4 - 1 = 3.  The first:
    1 + 2/2 - 1 + 2.5/4 = 1.625.
    """
    column = np.array([[1.0], [2.0], [4.0]])
    ends = np.array([[False], [False], [True]]), np.array([[False], [True], [True]])
    rollout = page["Rollout"](column, column, column, column, *ends, np.ones((3, 1), bool))
    values, next_values = np.ones((3, 1)), np.array([[2.0], [3.0], [5.0]])
    result = page["advantages"](rollout, values, next_values, 0.5, 0.5)
    assert result.tolist() == [[1.625], [2.5], [3.0]]
