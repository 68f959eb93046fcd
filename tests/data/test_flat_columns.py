import h5py
import numpy as np
import pytest

from rlpriors.data import Episode, EpisodeStore
from rlpriors.data.buffers import to_buffer

OBS = np.array([0, 1, 2, 100, 101, 200, 201], float)[:, None]
COLUMNS = {
    "observations": OBS,
    "next_observations": OBS + 1,
    "actions": np.arange(7.0)[:, None],
    "rewards": np.arange(7.0),
    "terminals": np.array([0, 0, 1, 0, 0, 0, 0], bool),
    "timeouts": np.array([0, 0, 0, 0, 1, 0, 0], bool),
}


@pytest.fixture
def file(tmp_path):
    """Three episodes in the layout of D4RL's files: a terminated one, a timeout and an unfinished one."""
    with h5py.File(tmp_path / "tiny.hdf5", "w") as file:
        for name, column in COLUMNS.items():
            file[name] = column
        file["infos/qpos"] = np.zeros((7, 2))
    with h5py.File(tmp_path / "tiny.hdf5") as file:
        yield file


def load(file, **columns):
    names = ("observations", "actions", "rewards", "terminals", "timeouts", "next_observations")
    return EpisodeStore.from_transitions(*(columns.get(name, file[name]) for name in names))


def test_a_d4rl_file_by_hand(file):
    store = load(file)
    assert store.lengths.tolist() == [3, 2, 2]
    assert store.obs[:, 0].tolist() == [0, 1, 2, 3, 100, 101, 102, 200, 201, 202]
    assert store.act[:, 0].tolist() == store.rew.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert store.terminated.tolist() == [False, False, True, False, False, False, False]
    assert store.truncated.tolist() == [False, False, False, False, True, False, False]
    assert to_buffer(store).obs_next[:, 0].tolist() == COLUMNS["next_observations"][:, 0].tolist()


def test_without_next_observations_the_last_steps_are_dropped(file, caplog):
    store = load(file, next_observations=None)
    assert store.lengths.tolist() == [2, 1, 1]
    assert store.obs[:, 0].tolist() == [0, 1, 2, 100, 101, 200, 201]
    assert store.act[:, 0].tolist() == [0, 1, 3, 5]
    assert not store.terminated.any()
    assert store.truncated.tolist() == [False, True, True, True]
    assert "3 episodes is dropped (1 terminations and 1 truncations)" in caplog.text


def test_a_gap_without_an_end_is_one(file, caplog):
    store = load(file, terminals=np.zeros(7), timeouts=None)
    assert store.lengths.tolist() == [3, 2, 2]
    assert not (store.terminated | store.truncated).any()
    assert "2 steps without an end" in caplog.text


def test_leaves_of_dictionaries(file):
    obs, next_obs = ({"b": o, "a": -o} for o in (COLUMNS["observations"], COLUMNS["next_observations"]))
    store = load(file, observations=obs, next_observations=next_obs)
    assert store.obs[3].tolist() == [-3, 3]
    assert store.obs_layout.keys == ("a", "b")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"rewards": np.zeros(6)}, r"`rew` must have one row for each of the 7 rows.*Received shape \(6,\)"),
        ({"timeouts": np.zeros((7, 1))}, r"`truncated` must have.* of one number. Received shape \(7, 1\)"),
        ({"next_observations": np.zeros((7, 2))}, r"`next_obs` must have the shape of `obs`, \(7, 1\)"),
        ({"terminals": np.full(7, 2)}, "`terminated` must hold booleans"),
        ({"next_observations": None, "terminals": np.ones(7)}, "`next_obs` must be given"),
    ],
)
def test_columns_that_disagree_are_refused(file, columns, message):
    with pytest.raises(ValueError, match=message):
        load(file, **columns)


class TestEndsInside:
    """Two episodes of a flat file that were given as one."""

    def test_the_constructor_refuses_them(self):
        obs = np.concatenate([np.arange(20.0), 100 + np.arange(21.0)])[:, None]
        for name in ("terminated", "truncated"):
            done = np.zeros(40, bool)
            done[19] = done[39] = True
            flags = {"terminated": np.zeros(40), "truncated": np.zeros(40), name: done}
            with pytest.raises(ValueError, match=rf"`{name}` must.*at step 19 of episode 0, which has 40"):
                EpisodeStore.from_episodes([Episode(obs, np.zeros((40, 1)), np.zeros(40), **flags)])

    def test_the_error_names_the_episode(self):
        columns = np.zeros((8, 1)), np.zeros((6, 1)), np.zeros(6)
        done = np.array([0, 0, 1, 0, 1, 0], bool)
        with pytest.raises(ValueError, match="True at step 1 of episode 1, which has 3 steps; split"):
            EpisodeStore(*columns, done, np.zeros(6, bool), np.array([3, 3]))

    def test_the_constructor_of_columns_splits_them(self):
        done = np.array([0, 1, 0, 1])
        obs = np.array([0.0, 1.0, 100.0, 101.0])[:, None]
        store = EpisodeStore.from_transitions(obs, np.zeros((4, 1)), np.zeros(4), done, None, obs + 1)
        assert store.windows(store.window_starts(2), 2).obs[..., 0].tolist() == [[0, 1], [100, 101]]


@pytest.mark.parametrize("size", [(), (1,), (2, 0)])
def test_a_single_row_is_an_episode(size):
    obs = np.zeros((1, *size))
    store = EpisodeStore.from_transitions(obs, np.zeros((1, 1)), [1.0], [True], None, obs)
    assert store.lengths.tolist() == [1]
    assert store.obs.shape == (2, *size)
