"""Stages that `rlpriors learn-reward` and `rlpriors demo` share, at a tiny size."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from rlpriors.data import Episode, EpisodeStore
from rlpriors.rewards import SumReward, load_reward
from rlpriors.training.reward_learning.choices import WindowChoice, choose_window, split
from rlpriors.training.reward_learning.demonstration_pipeline import (
    EpisodeSets,
    prior_for_demonstrations,
    reward_from_demonstrations,
)
from rlpriors.training.reward_learning.pipeline import learn_prior
from rlpriors.training.reward_learning.stages import make_planner, make_reward

SPACE = gym.spaces.Box(-1, 1, (1,), np.float32)


def walks(target: float | None, n: int, scale: float = 1.0) -> EpisodeStore:
    """Walks on a line to x = target, or random ones."""
    rng = np.random.default_rng(0)
    episodes = []
    for _ in range(n):
        obs, act = [rng.uniform(-1, 1, 1)], []
        for _ in range(12):
            act.append(rng.uniform(-1, 1, 1) if target is None else np.clip(5 * (target - obs[-1]), -1, 1))
            obs.append(np.clip(obs[-1] + 0.2 * act[-1], -1.2, 1.2))
        episodes.append(Episode(scale * np.array(obs), np.array(act), *np.zeros((3, 12))))
    return EpisodeStore.from_episodes(episodes, action_space=SPACE)


@pytest.fixture
def training(tmp_path) -> dict[str, Any]:
    options = {"folder": tmp_path, "checkpoint_every": 2, "resume": False, "tracker": "csv"}
    return {**options, "seed": 0, "eval_seed": 0}


def make_sets(scale: float = 1.0) -> EpisodeSets:
    demonstrations, data = walks(0.8, 6, scale), walks(None, 30)
    return EpisodeSets(demonstrations, data, *split(demonstrations, 0.2, 0), *split(data, 0.1, 0))


def test_from_episodes_to_findings(training, tmp_path):
    sets, said = make_sets(), []
    window = choose_window(sets.demonstrations, sets.data)
    prior = prior_for_demonstrations(sets, window, n_updates=4, device="cpu", say=said.append, **training)
    assert [finding.name for finding in prior.findings] == ["range", "dynamics", "scale", "coverage"]
    assert all(line.partition(":")[0] in ("Doubtful", "Bad") for line in said)
    assert len(said) == sum(finding.level != "good" for finding in prior.findings)
    learned = reward_from_demonstrations(prior.policy, sets, n_updates=4, agreement_updates=2, **training)
    names = {finding.name for finding in learned.findings}
    assert {"accuracy", "gap", "peak", "order", "halves", "seeds"} <= names
    assert isinstance(load_reward(tmp_path / "reward", device="cpu"), SumReward)
    assert {"reward_map", "input_use"} <= set(learned.figures)


def test_other_units_are_reported_before_the_prior_is_trained(training):
    said: list[str] = []
    sets = make_sets(scale=50.0)
    window = WindowChoice(40, 1, "longer than the episodes: the prior is refused")
    with pytest.raises(ValueError, match="must fit into an episode"):
        prior_for_demonstrations(sets, window, n_updates=4, device="cpu", say=said.append, **training)
    assert said[0].startswith("Bad: range")


def test_a_preset_brings_its_networks_and_the_scale_of_the_loss(training):
    sets = make_sets()
    window = choose_window(sets.demonstrations, sets.data)
    given = {name: value for name, value in training.items() if name != "eval_seed"}
    first = learn_prior(sets.known, window, n_updates=2, device="cpu", **given)
    untrained = make_planner(first.layout, SPACE, device="cpu", seed=0)
    prior = prior_for_demonstrations(
        sets, window, untrained=untrained, n_updates=2, say=lambda line: None, **training
    )
    assert prior.policy is untrained
    for one, two in zip(first.denoiser.parameters(), untrained.denoiser.parameters(), strict=True):
        assert one.equal(two)  # the weights of `make_planner` by default
    reward = make_reward(first.layout, "observation", seed=0)
    learned = reward_from_demonstrations(
        untrained, sets, untrained=reward, standardize=False, n_updates=2, agreement_updates=0, **training
    )
    assert type(learned.reward) is type(reward)
    other = make_planner(first.layout, SPACE, device="cpu")
    with pytest.raises(ValueError, match=r"`untrained` must have the horizon.*\(4, 2, False\)\. Received"):
        learn_prior(sets.known, WindowChoice(4, 2, ""), untrained=other, n_updates=2, **given)


def test_the_evaluation_takes_held_out_episodes_if_there_are_any():
    sets = make_sets()
    assert sets.evaluated == (sets.held_out, sets.other)
    assert sets._replace(held_out=None, other=None).evaluated == (sets.shown, sets.known)
    assert sets._replace(reference=sets.shown).evaluated == (sets.held_out, sets.shown)
