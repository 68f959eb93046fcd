"""Evaluation of rewards whose quality is known, and its report."""

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rlpriors.data import Episode, EpisodeStore
from rlpriors.evaluation.rewards.verdict import verdict_line
from rlpriors.rewards import MLPReward, RewardModel, RewardSettings
from rlpriors.training.reward_learning.evaluation import (
    check_demonstrations,
    evaluate_reward,
    support_finding,
)
from rlpriors.training.reward_learning.pictures import draw_pictures
from rlpriors.training.reward_learning.report import report_text, usage_lines, write_report


def walks(target: float | None, n: int = 8, scale: float = 1.0, seed: int = 0) -> EpisodeStore:
    """Walks in the plane to x = target, or random ones."""
    rng = np.random.default_rng(seed)
    episodes = []
    for _ in range(n):
        obs = [rng.uniform(-1, 1, 2)]
        for _ in range(30):
            wish = rng.uniform(-1, 1) if target is None else target - obs[-1][0]
            obs.append(np.clip(obs[-1] + [0.2 * np.clip(wish, -1, 1), rng.normal() * 0.1], -1.2, 1.2))
        episodes.append(Episode(scale * np.array(obs), np.zeros((30, 1)), *np.zeros((3, 30))))
    return EpisodeStore.from_episodes(episodes)


def linear(x: float, y: float = 0.0) -> RewardModel:
    reward = MLPReward(RewardSettings(obs_dim=2, act_dim=1, hidden=()))
    with torch.no_grad():
        reward.net[0].weight.copy_(torch.tensor([[x, y]]))
        reward.net[0].bias.zero_()
    return reward


def test_a_good_reward_passes_and_its_opposite_fails():
    demonstrations, data = walks(1.1), walks(None, n=20, seed=1)
    good = evaluate_reward(
        linear(1), demonstrations, data, halves=[linear(1), linear(2)], seeds=[linear(3)], length=10
    )
    assert verdict_line(good.findings)[0] == "good", good.findings
    assert good.numbers["epic_halves"] == pytest.approx(0, abs=1e-3)
    assert (good.input_use["obs[1]"], good.input_use["action"]) == (0, 0)
    bad = evaluate_reward(linear(-1), demonstrations, data, seeds=[linear(1)], length=10)
    levels = {finding.name: finding.level for finding in bad.findings}
    bad_ones = dict.fromkeys(("accuracy", "gap", "peak", "sharpness", "seeds"), "bad")
    assert levels == {**bad_ones, "order": "doubtful"}
    assert bad.numbers["epic_seeds"] == pytest.approx(1, abs=1e-3)


def test_other_units_are_found_before_training():
    data = walks(None, n=20, seed=1)
    levels = {finding.name: finding.level for finding in check_demonstrations(walks(1.1), data)}
    assert levels == {"range": "good", "dynamics": "good", "scale": "good"}
    found = check_demonstrations(walks(1.1, scale=100), data)[0]
    assert (found.name, found.level) == ("range", "bad")
    assert "obs[0]" in found.meaning


def cropped(episode: Episode, length: int) -> Episode:
    return Episode(episode.obs[: length + 1], *(part[:length] for part in episode[1:5]))


def test_lengths_and_numbers_of_demonstrations_are_findings():
    short = EpisodeStore.from_episodes([walks(1.1).episode(0)._replace(terminated=np.eye(30)[29] > 0)])
    mixed = EpisodeStore.from_episodes([short.episode(0), *[walks(1.1).episode(i) for i in range(2)]])
    levels = {f.name: f.level for f in check_demonstrations(mixed, walks(None, n=20))}
    assert levels == {
        "range": "good",
        "dynamics": "good",
        "scale": "good",
        "lengths": "doubtful",
        "demonstrations": "doubtful",
    }
    # Of different lengths without the flag `terminated`, next to data that has it.
    cut = EpisodeStore.from_episodes(
        [short.episode(0)._replace(terminated=np.zeros(30))] + [cropped(walks(1.1).episode(1), 20)] * 4
    )
    for data, level in ((walks(None, n=20), "good"), (mixed, "doubtful")):
        assert {f.name: f.level for f in check_demonstrations(cut, data)}["lengths"] == level
    assert support_finding(0.9).level == "good"
    assert support_finding(0.1).level == "bad"


def test_the_report_is_a_page_with_pictures(tmp_path):
    demonstrations, data = walks(1.1), walks(None, n=20, seed=1)
    evaluation = evaluate_reward(linear(1), demonstrations, data, length=10)
    figures = draw_pictures(linear(1), demonstrations, data, evaluation.input_use, length=10)
    usage = usage_lines("Walk-v0", tmp_path / "reward", {"size": 3, "max_episode_steps": 30})
    text = report_text("Reward", evaluation.findings, {"Windows": "10 steps"}, usage, list(figures))
    write_report(tmp_path, text, figures)
    page = (tmp_path / "report.md").read_text()
    assert "**The reward passes all checks that need no true reward.**" in page
    assert 'make_env("Walk-v0", size=3, max_episode_steps=30)' in page
    for name in ("reward_along_episodes", "window_rewards", "reward_map", "input_use"):
        assert f"figures/{name}.png" in page
        assert (tmp_path / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    tags = EventAccumulator(str(tmp_path / "tensorboard/report")).Reload().Tags()
    assert sorted(tags["images"]) == sorted(f"report/{name}" for name in figures)
    assert tags["tensors"] == ["report/text_summary"]
