"""The linear baseline: weights by hand, actions of both kinds, and data that disagree."""

import gymnasium as gym
import numpy as np
import pytest

from rlpriors.data import Episode, EpisodeStore
from rlpriors.rewards import MeanDifferenceReward, MeanDifferenceSettings, load_reward

TWO = gym.spaces.Discrete(2)


def store(obs, act=None, **more):
    """Store of one episode with these observations at its steps; the last observation is not read."""
    obs = np.array(obs, np.float64)
    act = np.zeros((len(obs), 1)) if act is None else np.array(act)
    episode = Episode(np.concatenate([obs, obs[-1:]]), act, *np.zeros((3, len(obs))))
    return EpisodeStore.from_episodes([episode], **more)


DEMONSTRATIONS = store([[2.0, 7.0], [4.0, 7.0]])  # means 3 and 7, variances 1 and 0
REFERENCE = store([[0.0, 7.0], [-2.0, 7.0]])  # means -1 and 7


def scores(reward, obs, act=None):
    act = np.zeros((len(obs), 1)) if act is None else act
    return reward.score(obs, act, obs)


def test_weights_by_hand():
    reward = MeanDifferenceReward.fit(DEMONSTRATIONS, REFERENCE, device="cpu")
    # (3 - -1) / 1 = 4 times the first entry's distance to 1; the second is constant
    np.testing.assert_allclose(scores(reward, [[1.0, 7], [3.0, 7], [-1.0, 7]]), [0, 8, -8], atol=1e-5)
    np.testing.assert_allclose(scores(reward, [[3.0, -90]]), [8], atol=1e-5)


def test_an_entry_without_variation_has_a_weight_of_20_deviations():
    reward = MeanDifferenceReward.fit(store([[3.0]] * 2), store([[1.0]] * 2), device="cpu")
    # The deviation is (3 - 1) / 20 = .1: 2 / .01 of the distance to 2
    np.testing.assert_allclose(scores(reward, [[3.0]]), [200], rtol=1e-4)


def test_both_data_sets_count_equally():
    longer = store([[0.0, 7.0], [-2.0, 7.0]] * 30)
    reward, again = (MeanDifferenceReward.fit(DEMONSTRATIONS, r, device="cpu") for r in (REFERENCE, longer))
    np.testing.assert_allclose(scores(again, [[3.0, 7]]), scores(reward, [[3.0, 7]]), rtol=1e-5)


def test_units_do_not_matter():
    far = [store(1e4 * part.obs[:-1] + 5e4) for part in (DEMONSTRATIONS, REFERENCE)]
    reward = MeanDifferenceReward.fit(*far, device="cpu")
    np.testing.assert_allclose(scores(reward, [[3e4 + 5e4, 12e4]]), [8], rtol=1e-4)


def test_box_actions_by_hand():
    obs = [[0.0], [0.0]]
    demonstrations, reference = store(obs, [[1.0], [0.5]]), store(obs, [[-1.0], [-0.5]])
    reward = MeanDifferenceReward.fit(demonstrations, reference, inputs=("obs", "act"), device="cpu")
    # means .75 and -.75, variance .0625: 1.5 / .0625
    np.testing.assert_allclose(scores(reward, [[0.0]], [[1.0]]), [24], rtol=1e-5)


def test_discrete_actions_by_hand():
    obs = [[0.0]] * 4
    demonstrations = store(obs, [1, 1, 1, 0], action_space=TWO)
    reference = store(obs, [0, 0, 0, 1], action_space=TWO)
    reward = MeanDifferenceReward.fit(demonstrations, reference, inputs=("act",), device="cpu")
    assert reward.n_actions == 2
    # Each action is an entry with means .75 and .25 and variance 3/16: .5 / (3 / 16) * .5, twice
    np.testing.assert_allclose(scores(reward, [[0.0]] * 2, [[1], [0]]), [8 / 3, -8 / 3], rtol=1e-5)
    with pytest.raises(ValueError, match=r"Discrete\(2\)"):
        scores(reward, [[0.0]], [[2]])


def test_discrete_actions_that_begin_at_another_number():
    space = gym.spaces.Discrete(2, start=5)
    sides = [store([[0.0]] * 4, act, action_space=space) for act in ([6, 6, 6, 5], [5, 5, 5, 6])]
    reward = MeanDifferenceReward.fit(*sides, inputs=("act",), device="cpu")
    np.testing.assert_allclose(scores(reward, [[0.0]] * 2, [[6], [5]]), [8 / 3, -8 / 3], rtol=1e-5)


def test_the_next_observation_can_be_read():
    reward = MeanDifferenceReward.fit(DEMONSTRATIONS, REFERENCE, inputs=("obs_next",), device="cpu")
    assert reward.score([[9.0, 7]], [[0]], [[4.0, 7]]) > reward.score([[9.0, 7]], [[0]], [[-2.0, 7]])


def test_chosen_entries_only():
    swapped = [store(part.obs[:-1, ::-1]) for part in (DEMONSTRATIONS, REFERENCE)]
    reward = MeanDifferenceReward.fit(*swapped, obs_index=(1,), device="cpu")
    np.testing.assert_allclose(scores(reward, [[0.0, 3.0]]), [8], rtol=1e-5)


def test_leaves_are_recorded_and_saved(tmp_path):
    obs = {"height": np.array([[2.0], [4.0], [0.0]]), "speed": np.zeros((3, 1))}
    low = {"height": -obs["height"], "speed": np.zeros((3, 1))}
    both = [
        EpisodeStore.from_episodes([Episode(part, np.zeros((2, 1)), *np.zeros((3, 2)))], ("speed", "height"))
        for part in (obs, low)
    ]
    reward = MeanDifferenceReward.fit(*both, device="cpu")
    assert reward.obs_keys == ("speed", "height")
    loaded = load_reward(reward.save(tmp_path), device="cpu")
    assert loaded.obs_layout == both[0].obs_layout
    np.testing.assert_array_equal(both[0].relabel(loaded).rew, both[0].relabel(reward).rew)
    other = EpisodeStore.from_episodes([Episode(low, np.zeros((2, 1)), *np.zeros((3, 2)))])
    with pytest.raises(ValueError, match=r"leaves .*'speed'.*Received .*'height'"):
        MeanDifferenceReward.fit(both[0], other)


def test_equal_means_are_refused():
    with pytest.raises(ValueError, match=r"must differ in the mean of an entry .* Received 2 entries"):
        MeanDifferenceReward.fit(DEMONSTRATIONS, DEMONSTRATIONS)


@pytest.mark.parametrize(
    ("reference", "arguments", "message"),
    [
        (store([[0.0]]), {}, r"`reference` must have the shapes .*\(2,\) and \(1,\)\. Received \(1,\)"),
        (REFERENCE, {"n_actions": 3}, r"`n_actions` must be None for actions of shape \(1,\).* Received 3"),
        (REFERENCE, {"inputs": ()}, "`inputs` must be some of"),
    ],
)
def test_data_that_do_not_fit(reference, arguments, message):
    with pytest.raises(ValueError, match=message):
        MeanDifferenceReward.fit(DEMONSTRATIONS, reference, **arguments)


def test_images_are_refused():
    images = store(np.zeros((2, 4, 4)))
    with pytest.raises(ValueError, match=r"`demonstrations` must have vectors .* Received shapes \(4, 4\)"):
        MeanDifferenceReward.fit(images, images)


@pytest.mark.parametrize(
    ("act", "space", "n_actions", "message"),
    [
        ([0, 1], None, None, "`n_actions` must be given for integer actions of an unknown space"),
        ([0, 1], TWO, 3, "`n_actions` must be 2, the size of the data's action space. Received 3"),
        (
            [0, 2],
            None,
            2,
            "`n_actions` must cover the actions of the data, from 0 on. Received 2 and actions from 0 to 2",
        ),
    ],
)
def test_the_number_of_actions_is_not_guessed(act, space, n_actions, message):
    data = store([[0.0], [1.0]], act, action_space=space)
    with pytest.raises(ValueError, match=message):
        MeanDifferenceReward.fit(data, data, n_actions=n_actions)


def test_it_has_no_layers():
    with pytest.raises(ValueError, match=r"`hidden` must be \(\) .* Received \(8,\) and False"):
        MeanDifferenceSettings(1, 1, hidden=(8,))
