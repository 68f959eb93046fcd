import dataclasses

import numpy as np
import pytest
import torch

from rlpriors.data import Episode, EpisodeStore


def make(steps, first=0.0, terminated=False, discrete=False):
    """Observations count up from `first` (twice, the second negated); actions are ten times that."""
    time = first + np.arange(steps + 1.0)
    done = np.arange(steps) == steps - 1
    act = np.arange(steps) % 3 if discrete else 10 * time[:-1, None]
    return Episode(np.stack([time, -time], 1), act, time[:-1], done & terminated, done & (not terminated))


@pytest.fixture
def store():
    """Three episodes of 5, 2 and 3 steps; observations 0..5, 100..102 and 200..203."""
    return EpisodeStore.from_episodes([make(5), make(2, 100.0, terminated=True), make(3, 200.0)])


def test_layout_by_hand(store):
    assert (store.n_steps, store.n_episodes) == (10, 3)
    assert store.obs[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 100, 101, 102, 200, 201, 202, 203]
    assert store.act[:, 0].tolist() == [0, 10, 20, 30, 40, 1000, 1010, 2000, 2010, 2020]
    assert store.step_starts.tolist() == [0, 5, 7]
    assert store.obs_index(np.array([0, 4, 5, 9])).tolist() == [0, 4, 6, 11]
    assert np.flatnonzero(store.terminated).tolist() == [6]
    assert np.flatnonzero(store.truncated).tolist() == [4, 9]
    assert {a.dtype for a in (store.obs, store.act, store.rew)} == {np.dtype(np.float32)}
    assert repr(store) == "EpisodeStore(3 episodes, 10 steps, obs (2,) float32, act (1,) float32)"


def test_episodes_come_back(store):
    for index, expected in enumerate([make(5), make(2, 100.0, terminated=True), make(3, 200.0)]):
        for got, put in zip(store.episode(index)[:5], expected[:5], strict=True):
            assert np.array_equal(got, put)
    assert store.episode(0).obs.base is not None  # a view


def test_subset_keeps_order(store):
    for chosen in (store.subset([2, 0]), store.subset(np.array([2, 0]))):
        assert chosen.lengths.tolist() == [3, 5]
        assert chosen.obs[:, 0].tolist() == [200, 201, 202, 203, 0, 1, 2, 3, 4, 5]
        assert chosen.rew.tolist() == [200, 201, 202, 0, 1, 2, 3, 4]
    assert store.subset(np.array([False, True, False])).terminated.tolist() == [False, True]


def test_transitions_never_cross_episodes(store):
    obs, act, obs_next, terminated = store.transitions()
    assert torch.equal(obs_next - obs, torch.tensor([[1.0, -1.0]]).repeat(10, 1))
    assert torch.equal(act[:, 0], 10 * obs[:, 0])
    assert terminated.nonzero().tolist() == [[6]]
    assert store.transitions(np.array([6, 0])).obs[:, 0].tolist() == [101, 0]


def test_dictionary_observations_and_keys():
    base = make(3)
    tree = base._replace(obs={"a": base.obs, "b": {"c": 7 * np.ones((4, 1))}})
    assert EpisodeStore.from_episodes([tree]).obs.shape == (4, 3)
    assert EpisodeStore.from_episodes([tree], ["b/c"]).obs.tolist() == [[7]] * 4
    with pytest.raises(ValueError, match=r"`keys` must name leaves.*'a', 'b/c'.*Received \['b'\]"):
        EpisodeStore.from_episodes([tree], ["b"])


def test_flags_are_truth_values():
    assert EpisodeStore.from_episodes([make(2)._replace(terminated=np.array([0.0, 1.0]))]).terminated[1]
    for bad in ([0, 3], [0.0, np.nan], ["no", "yes"]):
        with pytest.raises(ValueError, match=r"`terminated` must (hold booleans, or|be an array of) numbers"):
            EpisodeStore.from_episodes([make(2)._replace(terminated=np.array(bad))])


@pytest.mark.usefixtures("without_type_checks")
def test_a_tensor_of_bfloat16_is_told(store):
    with pytest.raises(ValueError, match=r"`obs` must hold numbers of a numpy type.*torch\.bfloat16"):
        dataclasses.replace(store, obs=torch.tensor(store.obs, dtype=torch.bfloat16))


def test_discrete_and_image_types():
    frames = np.arange(4 * 2 * 2, dtype=np.uint8).reshape(4, 2, 2)
    store = EpisodeStore.from_episodes([make(3, discrete=True)._replace(obs=frames)])
    assert store.obs.dtype == np.uint8
    assert store.act.dtype == np.int64
    window = store.windows(np.array([0]), 2)
    assert window.obs.tolist() == [[[0, 1, 2, 3], [4, 5, 6, 7]]]
    assert window.act.tolist() == [[[0], [1]]]
    transition = store.transitions()
    assert transition.obs.shape == (3, 2, 2)
    assert transition.act.tolist() == [[0], [1], [2]]
    assert transition.obs.dtype == transition.act.dtype == torch.float32


class TestWindows:
    def test_starts_by_hand(self, store):
        assert store.window_starts(3).tolist() == [0, 1, 2, 7]
        assert store.window_starts(2, stride=2).tolist() == [0, 1]  # 0..3 and 1..4 of five steps
        assert store.window_starts(3, pad=True).tolist() == list(range(10))
        assert store.window_starts(1, max_start=2).tolist() == [0, 1, 5, 6, 7, 8]
        assert store.window_starts(3, max_start=1).tolist() == [0, 7]

    def test_inside(self, store):
        window = store.windows(np.array([7, 1]), 3)
        assert window.obs[:, :, 0].tolist() == [[200, 201, 202], [1, 2, 3]]
        assert window.obs[:, :, 1].tolist() == [[-200, -201, -202], [-1, -2, -3]]
        assert window.act[:, :, 0].tolist() == [[2000, 2010, 2020], [10, 20, 30]]
        assert window.mask.all()

    def test_stride_takes_the_mean_action(self, store):
        window = store.windows(np.array([1]), 2, stride=2)
        assert window.obs[0, :, 0].tolist() == [1, 3]
        assert window.act[0, :, 0].tolist() == [15, 35]
        assert window.mask.tolist() == [[True, True]]

    def test_beyond_the_end_the_last_frame_is_repeated(self, store):
        window = store.windows(np.array([5, 3]), 4)
        assert window.obs[:, :, 0].tolist() == [[100, 101, 102, 102], [3, 4, 5, 5]]
        assert window.act[:, :, 0].tolist() == [[1000, 1010, 1010, 1010], [30, 40, 40, 40]]
        assert window.mask.tolist() == [[True, True, False, False]] * 2

    def test_a_stride_that_reaches_over_the_end_averages_what_is_there(self, store):
        window = store.windows(np.array([0]), 3, stride=3)  # steps 0..2, 3..4, none
        assert window.obs[0, :, 0].tolist() == [0, 3, 5]
        assert window.act[0, :, 0].tolist() == [10, 35, 40]
        assert window.mask.tolist() == [[True, True, False]]

    def test_termination_by_hand(self):
        episodes = [make(3), make(3)._replace(terminated=np.array([0, 0, 1], bool))]
        store = EpisodeStore.from_episodes(episodes)
        assert store.window_starts(3).tolist() == [0, 3]
        assert store.window_starts(3, absorbing=True).tolist() == [0, 3, 4, 5]
        assert store.window_starts(3, max_start=2, absorbing=True).tolist() == [0, 3, 4]
        window = store.windows(np.array([0, 3, 5]), 3)
        assert window.terminated.tolist() == [[False] * 3, [False, False, True], [True, False, False]]
        assert window.absorbing.tolist() == [[False] * 3, [False] * 3, [False, True, True]]
        assert window.mask.tolist() == [[True] * 3, [True] * 3, [True, False, False]]
        assert window.obs[2, :, 0].tolist() == [2, 3, 3]

    def test_a_terminal_step_is_in_its_row_of_several_steps(self):
        store = EpisodeStore.from_episodes([make(5)._replace(terminated=np.arange(5) == 4)])
        window = store.windows(np.array([0]), 4, stride=3)  # steps 0..2, 3..4, none, none
        assert window.terminated.tolist() == [[False, True, False, False]]
        assert window.absorbing.tolist() == [[False, False, True, True]]

    def test_against_the_slow_way(self):
        rng = np.random.default_rng(0)
        episodes = [
            make(int(t))._replace(obs=rng.normal(size=(t + 1, 3)), act=rng.normal(size=(t, 2)))
            for t in rng.integers(1, 12, size=20)
        ]
        store = EpisodeStore.from_episodes(episodes)
        for horizon, stride in [(1, 1), (4, 1), (3, 2), (2, 5)]:
            starts = store.window_starts(horizon, stride)
            window = store.windows(starts, horizon, stride)
            slow = [
                (e.obs[t : t + horizon * stride : stride], e.act[t : t + horizon * stride])
                for e in episodes
                for t in range(len(e.act) - horizon * stride + 1)
            ]
            act = np.stack([a.reshape(horizon, stride, -1).mean(1) for _, a in slow])
            assert torch.equal(window.obs, torch.tensor(np.stack([o for o, _ in slow])).float())
            torch.testing.assert_close(window.act, torch.tensor(act).float())

    def test_too_short_episodes_are_refused(self, store):
        with pytest.raises(
            ValueError, match=r"`horizon` 3 with `stride` 2 must fit.*needs 6 steps. Received.*at most 5.*pad"
        ):
            store.window_starts(3, stride=2)

    def test_discrete_actions_have_no_mean(self):
        store = EpisodeStore.from_episodes([make(6, discrete=True)])
        with pytest.raises(ValueError, match=r"`stride` must be 1 for integer actions.*Received 2"):
            store.windows(np.array([0]), 2, stride=2)

    @pytest.mark.parametrize("starts", [[10], [-1]])
    def test_starts_outside_are_refused(self, store, starts):
        with pytest.raises(ValueError, match=r"`starts` must be in 0..9: there are 10 steps. Received"):
            store.windows(np.array(starts), 1)

    @pytest.mark.parametrize("name", ["horizon", "stride", "max_start"])
    def test_counts_below_one_are_refused(self, store, name):
        with pytest.raises(ValueError, match=f"`{name}` must be at least 1. Received 0"):
            store.window_starts(**{"horizon": 1, "stride": 1, name: 0})


class TestPairsAndGoals:
    def test_fixed_offset_draws_every_pair_there_is(self, store):
        first, second = store.offset_pairs(500, 3, np.random.default_rng(0))
        assert (second - first == 3).all()
        assert sorted(set(store.obs[first, 0])) == [0, 1, 2, 200]
        assert sorted(set(store.obs[second, 0])) == [3, 4, 5, 203]

    def test_offsets_of_a_range_stay_inside(self, store):
        first, second = store.offset_pairs(2000, (1, 4), np.random.default_rng(0))
        change = store.obs[second, 0] - store.obs[first, 0]
        assert sorted(set(change)) == [1, 2, 3, 4]
        assert set(change[store.obs[first, 0] == 101]) == {1}  # one step is left there
        starts, counts = np.unique(store.obs[first, 0], return_counts=True)
        assert starts.tolist() == [0, 1, 2, 3, 4, 100, 101, 200, 201, 202]
        np.testing.assert_allclose(counts, 200, atol=45)  # three standard deviations

    def test_zero_offset_is_the_same_observation(self, store):
        first, second = store.offset_pairs(50, 0, np.random.default_rng(0))
        assert np.array_equal(first, second)

    def test_offsets_that_never_fit_are_refused(self, store):
        rng = np.random.default_rng(0)
        with pytest.raises(ValueError, match=r"`offset` must be at most 5.*Received \(6, 9\)"):
            store.offset_pairs(3, (6, 9), rng)
        for bad in (-1, (3, 2)):
            with pytest.raises(ValueError, match="`offset` must be at least 0, and low <= high"):
                store.offset_pairs(3, bad, rng)

    def test_future_goals_follow_the_truncated_geometric(self, store):
        goals = store.future_goals(np.full(20_000, 2), 0.5, np.random.default_rng(0))
        times, counts = np.unique(store.obs[goals, 0], return_counts=True)
        assert times.tolist() == [3, 4, 5]
        np.testing.assert_allclose(counts / 20_000, [4 / 7, 2 / 7, 1 / 7], atol=0.011)  # three deviations

    def test_future_goals_at_the_bounds(self, store):
        rng = np.random.default_rng(0)
        steps = np.arange(10)
        assert np.array_equal(store.future_goals(steps, 0.0, rng), store.obs_index(steps) + 1)
        goals = store.future_goals(np.full(9000, 7), 1.0, rng)
        times, counts = np.unique(store.obs[goals, 0], return_counts=True)
        assert times.tolist() == [201, 202, 203]
        np.testing.assert_allclose(counts, 3000, atol=135)
        with pytest.raises(ValueError, match=r"`gamma` should be in the interval \[0, 1\]. Received 1.5"):
            store.future_goals(steps, 1.5, rng)

    @pytest.mark.parametrize("gamma", [1e-9, 0.9, 1 - 1e-12])
    def test_future_goals_are_later_and_inside(self, store, gamma):
        steps = np.repeat(np.arange(10), 200)
        goals = store.future_goals(steps, gamma, np.random.default_rng(0))
        before = store.obs_index(steps)
        last = np.array([5, 8, 12])[store.episode_of[steps]]
        assert (goals > before).all()
        assert (goals <= last).all()

    def test_the_generator_decides(self, store):
        draws = [store.offset_pairs(20, (1, 3), np.random.default_rng(s))[1].tolist() for s in (0, 0, 1)]
        assert draws[0] == draws[1] != draws[2]


class TestRelabel:
    def test_replaces_rewards_only(self, store):
        def reward(obs, act, obs_next, terminated):
            return obs[:, 0] + act[:, 0] + obs_next[:, 1] - 1000 * terminated

        for batch_size in (3, 65536):
            new = store.relabel(reward, batch_size=batch_size)
            time = store.obs[store.obs_index(np.arange(10)), 0]
            assert new.rew.tolist() == (10 * time - 1 - 1000 * store.terminated).tolist()
        assert new.obs is store.obs
        assert store.rew[1] == 1

    @pytest.mark.cuda
    def test_on_the_device(self, store, cuda_device):
        def reward(obs, *_):
            return obs[:, 0] * (obs.device.type == cuda_device)

        assert store.relabel(reward, device=cuda_device).rew[1] == 1

    def test_bad_rewards_are_refused(self, store):
        with pytest.raises(ValueError, match=r"`reward` must return one number.*\(10,\). Received \(10, 2\)"):
            store.relabel(lambda obs, *_: obs)
        with pytest.raises(ValueError, match=r"`rew` must be finite. Received nan at step 1 of episode 2"):
            store.relabel(lambda obs, *_: torch.where(obs[:, 0] == 201, torch.nan, 0.0))


class TestBadEpisodes:
    @pytest.mark.parametrize(("name", "row"), [("obs", 3), ("act", 1), ("rew", 1)])
    @pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
    def test_not_finite(self, name, row, bad):
        episode = make(3)
        getattr(episode, name)[row] = bad
        with pytest.raises(
            ValueError, match=f"`{name}` must be finite. Received .* at step {row} of episode 1;"
        ):
            EpisodeStore.from_episodes([make(2), episode])

    def test_infinities_that_cancel_are_seen(self):
        episode = make(3)
        episode.rew[:2] = np.inf, -np.inf
        with pytest.raises(ValueError, match=r"`rew` must be finite. Received inf at step 0"):
            EpisodeStore.from_episodes([episode])

    def test_empty(self):
        with pytest.raises(ValueError, match=r"T >= 1 actions.*in episode 1; remove empty"):
            EpisodeStore.from_episodes([make(2), make(0)])
        with pytest.raises(ValueError, match=r"`episodes` must contain at least one episode. Received none"):
            EpisodeStore.from_episodes([])

    def test_without_the_last_observation(self):
        with pytest.raises(
            ValueError,
            match=r"T \+ 1 observations.*Received shapes \{'obs': \(3, 2\), 'act': \(3, 1\).*episode 0",
        ):
            EpisodeStore.from_episodes([make(3)._replace(obs=np.zeros((3, 2)))])

    def test_rewards_of_several_numbers(self):
        with pytest.raises(ValueError, match=r"Received shapes .*'rew': \(3, 1\)"):
            EpisodeStore.from_episodes([make(3)._replace(rew=np.zeros((3, 1)))])

    @pytest.mark.parametrize("name", ["obs", "act"])
    def test_another_size(self, name):
        other = make(3)
        other = other._replace(**{name: np.repeat(getattr(other, name), 2, axis=1)})
        with pytest.raises(
            ValueError, match=f"`{name}` of one shape.*in episode 0. Received .* in episode 1"
        ):
            EpisodeStore.from_episodes([make(3), other])

    def test_numbers_of_other_types_are_settled(self):
        done = np.array([0, 1])
        store = EpisodeStore.from_episodes([Episode([0, 1, 2], [0, 2], [1, 0], done, 0 * done)])
        assert store.rew.dtype == np.float32
        assert store.terminated.tolist() == [False, True]

    def test_not_numbers(self):
        with pytest.raises(ValueError, match="`act` must be an array of numbers"):
            EpisodeStore.from_episodes([make(2)._replace(act=np.array(["left", "right"]))])

    def test_columns_that_disagree_with_the_lengths(self, store):
        columns = {n: getattr(store, n) for n in ("obs", "act", "rew", "terminated", "truncated", "lengths")}
        with pytest.raises(
            ValueError,
            match=r"`obs` must have 13 rows for 3 episodes.*Received shape \(12, 2\); .* T \+ 1 observations",
        ):
            EpisodeStore(**columns | {"obs": store.obs[1:]})
        with pytest.raises(ValueError, match=r"at least 1 for each episode.*, number 1 of 3"):
            EpisodeStore(**columns | {"lengths": np.array([5, 0, 5])})
        with pytest.raises(ValueError, match="`lengths` must have at least one episode"):
            EpisodeStore(**columns | {"lengths": np.array([], int)})
        with pytest.raises(ValueError, match=r"`lengths` must be numbers of steps\. Received 46.*, number 0"):
            EpisodeStore(**columns | {"lengths": np.array([2**62] * 4 + [store.n_steps])})

    def test_episodes_that_are_not_there(self, store):
        with pytest.raises(
            ValueError, match=r"`indices` must be in 0..2: there are 3 episodes. Received 3..3"
        ):
            store.episode(3)
        with pytest.raises(ValueError, match="`indices` must be a vector of at least one integer"):
            store.subset([])
