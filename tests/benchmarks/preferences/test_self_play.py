"""Self-play benchmark: raters and win rates by hand, and one small cell of each method."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from benchmarks.preferences import self_play
from benchmarks.preferences.self_play_worlds import RockPaperScissors, UprightPole, beats, turned
from gymnasium.utils.env_checker import check_env

from rlpriors.preferences import Clip


def clip(total: float) -> Clip:
    return Clip(np.zeros((2, 1)), np.zeros(1), np.array([total]), np.zeros(1, bool))


def test_raters_by_hand() -> None:
    # rock 0, paper 1, scissors 2
    assert [beats(clip(a), clip(b)) for a, b in ((1, 0), (2, 1), (0, 2), (0, 1), (1, 1))] == [1, 1, 1, -1, 0]
    # 40 beats 20, 20 beats 0, and 0 beats 40
    assert [turned(clip(a), clip(b)) > 0 for a, b in ((40, 20), (20, 0), (0, 40))] == [True, True, True]
    assert self_play.win_rate([40.0, 20.0], [20.0], "0.4") == pytest.approx(0.75)
    assert self_play.win_rate([40.0], [0.0, 20.0], "intransitive") == pytest.approx(0.5)


def test_exploitability_by_hand() -> None:
    class Policy:
        def __init__(self, probabilities: list[float]) -> None:
            self.logits = torch.tensor([probabilities]).log()

        def actor(self, obs: torch.Tensor) -> tuple[torch.Tensor, None]:
            return self.logits, None

    assert self_play.exploitability(Policy([1 / 3] * 3)) == pytest.approx(0, abs=1e-6)
    assert self_play.exploitability(Policy([1.0, 1e-30, 1e-30])) == pytest.approx(1)
    # Paper against (.5, .25, .25): wins .5, loses .25.
    assert self_play.exploitability(Policy([0.5, 0.25, 0.25])) == pytest.approx(0.25)


def test_environments_of_self_play() -> None:
    check_env(RockPaperScissors(), skip_render_check=True)
    env = UprightPole()
    env.reset(seed=0)
    rewards, truncated = [], False
    while not truncated:
        obs, reward, terminated, truncated, _ = env.step(0)
        rewards.append(reward)
        assert not terminated
    assert len(rewards) == 100
    assert 5 < sum(rewards) < 15  # a pole that is always pushed to the left falls
    assert abs(obs[2]) > 0.2
    assert isinstance(env.action_space, gym.spaces.Discrete)


@pytest.mark.slow
@pytest.mark.parametrize("method", self_play.METHODS)
def test_both_methods_of_self_play_compare_equally_often(method: str) -> None:
    content = self_play.run_cell(self_play.Cell(self_play.GAME, method, "0", 100), rounds=2)
    # 32 episodes with each other, then 32 new ones with 32 of the queue each.
    assert content["n_pairs"] == 32 * 31 // 2 + 32 * 32
    assert 0 <= content["metrics"]["exploitability"] <= 1
