"""Defaults that follow from the data, by hand, and rewards in units of their spread."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from rlpriors.agents import DiffusionIRLSettings
from rlpriors.agents.irl.objectives import DensityRatioSettings
from rlpriors.data import Episode, EpisodeStore
from rlpriors.training.reward_learning.choices import (
    choose_negatives,
    choose_window,
    describe_choices,
    objective_settings,
    split,
)


def walks(*lengths: int, discrete: bool = False) -> EpisodeStore:
    episodes = []
    for number, length in enumerate(lengths):
        act = np.zeros(length, np.int64) if discrete else np.zeros((length, 1))
        obs = number + np.arange(length + 1.0)[:, None]
        episodes.append(Episode(obs, act, *np.zeros((3, length))))
    return EpisodeStore.from_episodes(episodes)


@pytest.mark.parametrize(
    ("lengths", "discrete", "expected"),
    [
        ((100, 100), False, (16, 2)),  # 33 steps
        ((100, 100), True, (32, 1)),  # 33 steps, in an even number of time steps
        ((1000, 1000), False, (16, 8)),  # at most 128 steps
        ((1000, 1000), True, (32, 1)),
        ((60, 12), False, (4, 1)),  # the shortest has 12
        ((2, 2), False, (2, 1)),
    ],
)
def test_windows_fit_the_demonstrations(lengths, discrete, expected):
    store = walks(*lengths, discrete=discrete)
    choice = choose_window(store, store)
    assert (choice.horizon, choice.stride) == expected
    assert store.window_starts(choice.horizon, choice.stride).size


def test_given_sizes_are_kept_and_short_episodes_refused():
    store = walks(100)
    assert choose_window(store, store, horizon=10).stride == 1
    assert choose_window(store, store, stride=4).horizon == 8
    with pytest.raises(ValueError, match=r"at least 2 steps\. Received 1 in a demonstration; remove"):
        choose_window(walks(1), store)


def test_a_window_that_no_episode_holds_is_refused_before_any_training():
    short, long = walks(9, 12), walks(100)
    with pytest.raises(ValueError, match=r"into a demonstration: it needs 16 steps\. Received at most 12"):
        choose_window(short, long, horizon=8, stride=2)
    with pytest.raises(ValueError, match=r"into an episode of the data: it needs 20 steps"):
        choose_window(long, short, horizon=20)
    with pytest.raises(ValueError, match=r"into an episode: it needs 200 steps"):
        choose_window(long, long, horizon=200)  # a prior alone: there are no demonstrations
    ended = replace(short, terminated=np.arange(21) == 8)  # the first one continues in its terminal state
    assert choose_window(ended, long, horizon=20, absorbing=True).horizon == 20


def test_the_reason_names_the_episode_that_limits_the_window():
    store = walks(60, 60, 12)
    reason = (
        "4 steps of a demonstration's 60, by default about a third of the shortest demonstration, 12 steps;"
    )
    assert choose_window(store, walks(60)).reason.startswith(reason)
    assert "a third of an episode of the data, 30 steps" in choose_window(walks(60), walks(30)).reason
    assert choose_window(walks(60), walks(60)).reason.endswith("about a third; 1 per time step")
    assert choose_window(store, walks(60), horizon=20).reason.endswith(
        "1 demonstrations are shorter, and not used"
    )
    assert choose_window(store, store).reason.startswith("4 steps of an episode's 60")


def test_each_side_of_a_split_has_an_episode():
    store = walks(3, 4, 5)
    kept, held = split(store, 0.01, seed=0)
    assert held is not None
    assert sorted([*kept.lengths, *held.lengths]) == [3, 4, 5]
    assert held.n_episodes == 1
    kept, held = split(store, 0.99, seed=0)
    assert held is not None
    assert (kept.n_episodes, held.n_episodes) == (1, 2)
    assert split(walks(3), 0.5, seed=0)[1] is None
    assert split(store, 0.0, seed=0)[1] is None


def test_choices_are_named_with_their_reasons():
    store = walks(90, 90)
    window = choose_window(store, store)
    parts = split(store, 0.5, seed=0)
    texts = describe_choices(window, parts, parts, source="random:9", reference="random:5", absorbing=True)
    assert texts["Demonstrations"].startswith("1 to learn from and 1 held out")
    assert texts["Windows"].endswith("(--horizon 14 --stride 2)")
    assert texts["Negatives"] == "random:5 (--reference)"
    assert "absorbing states" in texts["Terminations"]
    goals = replace(store, obs=np.repeat([[1.0], [2.0]], store.lengths + 1, axis=0).astype(np.float32))
    cases = ((store, False, "the data"), (goals, False, "samples of the prior"), (goals, True, "the data"))
    for shown, absorbing, negatives in cases:
        parts = shown, None
        texts = describe_choices(window, parts, parts, source="random:9", reference=None, absorbing=absorbing)
        assert texts["Negatives"].startswith(negatives)
        assert texts["Objective"].startswith("contrastive (--objective density-ratio if the goal differs")
    parts = goals, None
    texts = describe_choices(
        window, parts, parts, source="random:9", reference=None, absorbing=False, objective="density-ratio"
    )
    assert texts["Negatives"] == "the data, and demonstrations with the goals of other episodes"
    assert texts["Objective"] == "density-ratio (--objective)"


def test_the_density_ratio_compares_with_other_goals():
    store = walks(9, 9)
    goals = replace(store, obs=np.repeat([[1.0], [2.0]], store.lengths + 1, axis=0).astype(np.float32))
    assert choose_negatives("density-ratio", store, store) is None
    assert choose_negatives("density-ratio", goals, store) is None  # the data has no goals
    assert choose_negatives("contrastive", goals, goals) is None
    (missed, weight), data = choose_negatives("density-ratio", goals, goals)
    assert missed.obs[:, 0].tolist() == [2.0] * 10 + [1.0] * 10
    assert (weight, data) == (1.0, ("prior_data", 1.0))


def test_settings_of_the_objectives():
    assert objective_settings("contrastive") == ("contrastive", DiffusionIRLSettings())
    for noise in (None, 2.5):
        objective, settings = objective_settings("density-ratio", gait_noise=noise)
        assert objective == DensityRatioSettings(start_offset=noise is None)
        assert settings.input_noise == (0.1 if noise is None else noise)
        assert settings.temporal_variation_exponent == settings.progress_weight == 0


def test_a_gait_is_named_with_its_objective():
    def swing(phase: float) -> Episode:
        angle = phase + 0.3 * np.arange(121.0)
        obs = np.stack([np.cos(angle), np.sin(angle)], 1)
        return Episode(obs, np.zeros((120, 1)), *np.zeros((3, 120)))

    gait = EpisodeStore.from_episodes([swing(phase) for phase in (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)])
    window = choose_window(gait, gait)
    describe = partial(
        describe_choices,
        window,
        (gait, None),
        (gait, None),
        source="random:9",
        reference=None,
        absorbing=False,
    )
    assert "take --objective density-ratio" in describe(objective="contrastive")["Objective"]
    assert "clipped observations" in describe(objective="density-ratio")["Objective"]
