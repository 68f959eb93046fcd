"""Graded episodes: segments and pairs of grades, the degree head by hand, learning from grades alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from homing_pairs import hills, true_preferences
from scipy.stats import spearmanr

from rlpriors.agents.preferences.fit import default_optimizer, learn_from_preferences, preference_reward
from rlpriors.agents.preferences.graded import DegreeHead, GradedEpisodes, degree_loss, grade_pairs
from rlpriors.agents.preferences.preference_learning import PreferenceLearning
from rlpriors.agents.preferences.settings import PreferenceSettings
from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.rewards import MLPReward, NearestExpertReward, RewardSettings


def graded_homing(n: int = 8, steps: int = 24, seed: int = 0) -> GradedEpisodes:
    """Walks to the origin with growing action noise: grade 4 without noise, 0 with noise alone."""
    rng, episodes, grades = np.random.default_rng(seed), [], []
    for grade in range(5):
        noise = 1 - grade / 4
        for _ in range(n):
            at, obs, act = rng.uniform(-2, 2, 2), [], []
            obs.append(at)
            for _ in range(steps):
                move = (1 - noise) * np.clip(-at, -1, 1) + noise * rng.normal(size=2)
                at = at + 0.4 * move
                obs.append(at)
                act.append(move)
            end = np.arange(steps) == steps - 1
            columns = np.array(obs), np.array(act), np.zeros(steps), np.zeros(steps, bool), end
            episodes.append(Episode(*columns))
            grades.append(grade)
    return GradedEpisodes(EpisodeStore.from_episodes(episodes), np.array(grades), length=8)


def test_segments_are_of_their_grades_and_inside_their_episodes() -> None:
    graded = graded_homing()
    clips, grades = graded.sample(400, np.random.default_rng(0))
    assert np.array_equal(graded.grades[clips[:, 0]], grades)
    assert clips[:, 1].min() == 0
    assert clips[:, 1].max() == 24 - 8
    assert np.bincount(grades).min() > 50  # all five are equally probable


def test_pairs_prefer_the_higher_grade() -> None:
    graded = graded_homing()
    pairs = grade_pairs(graded, 300)
    pairs.check(graded.store)
    first, second = graded.grades[pairs.clips[..., 0]].T
    assert (first != second).all()
    assert np.array_equal(pairs.labels, (second > first).astype(int))
    assert 0.4 < pairs.labels.mean() < 0.6


def test_the_degree_loss_by_hand() -> None:
    reward = MLPReward(RewardSettings(obs_dim=1, act_dim=1, hidden=(1,)))
    head = DegreeHead(1, 2)
    with torch.no_grad():
        reward.net[0].weight.fill_(1.0)
        reward.net[0].bias.zero_()
        head.score.weight.fill_(2.0)
    obs = np.array([[1.0], [3.0], [0.0]])
    walk = Episode(obs, np.zeros((2, 1)), *np.zeros((3, 2)))
    graded = GradedEpisodes(EpisodeStore.from_episodes([walk, walk]), np.array([0, 1]), length=2)
    clips, grades = np.array([[0, 0], [1, 0]]), np.array([0, 1])
    silu = [x / (1 + np.exp(-x)) for x in (1.0, 3.0)]
    score = 2 * np.sum(silu)  # the only threshold is 0
    expected = (np.log1p(np.exp(score)) + np.log1p(np.exp(-score))) / 2
    assert degree_loss(head, reward, graded, clips, grades).item() == pytest.approx(expected)


def test_grades_alone_are_learned() -> None:
    graded, unseen = graded_homing(), hills(seed=1)
    reward = learn_from_preferences(graded.store, grade_pairs(graded, 400), n_updates=300, device="cpu")
    assert spearmanr(unseen.relabel(reward).rew, unseen.rew)[0] > 0.7


def test_the_degree_trains_the_layers_of_the_reward_and_resumes() -> None:
    data, graded = hills(), graded_homing()
    pairs = true_preferences(data, 40, 4)

    def make(weight: float) -> PreferenceLearning:
        return PreferenceLearning(
            reward=preference_reward(data, hidden=(8,)),
            data=data,
            preferences=pairs,
            graded=graded,
            optim=default_optimizer(50),
            settings=PreferenceSettings(degree_weight=weight),
            device="cpu",
        )

    with_degree, without = make(0.5), make(0.0)
    assert (len(with_degree.heads), len(without.heads)) == (3, 0)
    batch = np.zeros((4, 3), np.int64)
    loss, (_, _, degree) = with_degree._loss(batch)
    plain, (_, _, nothing) = without._loss(batch)
    assert loss.item() == pytest.approx(plain.item() + 3 * 0.5 * degree.item(), rel=1e-5)
    assert nothing.item() == 0
    loss.backward()
    assert all(weight.grad is not None for weight in with_degree.online.parameters())
    other = replace(graded, grades=4 - graded.grades)
    again = PreferenceLearning(
        reward=preference_reward(data, hidden=(8,)),
        data=data,
        preferences=pairs,
        graded=other,
        optim=default_optimizer(50),
        settings=PreferenceSettings(degree_weight=0.5),
        device="cpu",
    )
    with pytest.raises(ValueError, match="data"):
        again.resume(with_degree.resume_state())


def test_errors() -> None:
    graded = graded_homing(2)
    with pytest.raises(ValueError, match=r"without gaps\. Received \[0, 2\]"):
        GradedEpisodes(graded.store.subset([0, 9]), np.array([0, 2]), length=4)
    with pytest.raises(ValueError, match="`length` must fit into an episode of each grade"):
        replace(graded, length=25)
    with pytest.raises(ValueError, match="one number for each of the 10 episodes"):
        replace(graded, grades=np.array([0, 1]))
    with pytest.raises(ValueError, match="MLPReward with a hidden layer"):
        DegreeHead.of(NearestExpertReward.fit(graded.store, device="cpu"), 3, seed=0)
