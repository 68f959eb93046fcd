"""Episodes of each format, with the same numbers from all of them."""

import gymnasium as gym
import h5py
import numpy as np
import pytest
from tianshou.data import Batch, ReplayBuffer, VectorReplayBuffer

from rlpriors.data import Episode, EpisodeStore
from rlpriors.data.readers.load import load_episodes

PLACE = gym.spaces.Dict(
    position=gym.spaces.Box(-9, 99, (2,), np.float32), angle=gym.spaces.Box(-9, 99, (1,), np.float32)
)
FLAT = gym.spaces.Box(-9, 99, (2,), np.float32)
UNIT = gym.spaces.Box(-1, 1, (1,), np.float32)


def two_episodes() -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Observations 0..2 and 10..13, and actions 0.0, 0.1, ..."""
    obs = np.array([0, 1, 2, 10, 11, 12, 13.0])[:, None] * [1.0, 2.0]
    return obs, np.arange(5)[:, None] / 10, [2, 3]


def check(store: EpisodeStore) -> None:
    obs, act, lengths = two_episodes()
    assert store.lengths.tolist() == lengths
    np.testing.assert_allclose(store.obs, obs)
    np.testing.assert_allclose(store.act, act)


def test_episodes_end_to_end(tmp_path):
    obs, act, lengths = two_episodes()
    np.savez(tmp_path / "a.npz", obs=obs, act=act, lengths=lengths, terminated=[False, True])
    store = load_episodes(tmp_path / "a.npz", observation_space=FLAT, action_space=UNIT)
    check(store)
    assert store.terminated.tolist() == [False, False, False, False, True]
    assert not store.rew.any()
    assert store.action_space == UNIT


def test_episodes_of_one_length(tmp_path):
    obs = np.arange(16.0).reshape(2, 4, 2)
    np.savez(tmp_path / "a.npz", observations=obs, actions=np.zeros((2, 3, 1)), rewards=np.ones((2, 3)))
    store = load_episodes(tmp_path / "a.npz")
    assert store.lengths.tolist() == [3, 3]
    np.testing.assert_array_equal(store.episode(1).obs, obs[1])
    assert store.rew.sum() == 6


@pytest.mark.parametrize(
    ("obs", "act"),
    [
        (np.zeros((5, 3)), np.zeros((5, 2))),  # 5 steps of 3 observed numbers, or 5 episodes of 2 steps
        (np.zeros((5, 3, 4)), np.zeros((5, 2))),
        (np.zeros((5, 3)), np.zeros((5, 2), int)),
    ],
)
def test_rows_that_could_be_episodes_are_refused(obs, act, tmp_path):
    np.savez(tmp_path / "a.npz", obs=obs, act=act)
    with pytest.raises(ValueError, match=r"add `lengths`.*or `next_obs`"):
        load_episodes(tmp_path / "a.npz")


def test_episodes_of_one_length_with_discrete_actions(tmp_path):
    np.savez(tmp_path / "a.npz", obs=np.zeros((5, 3, 4)), act=np.zeros((5, 2), int))
    assert load_episodes(tmp_path / "a.npz").lengths.tolist() == [2] * 5


def test_flat_columns_of_npz_and_of_d4rl(tmp_path):
    obs, act, _ = two_episodes()
    before, after = obs[[0, 1, 3, 4, 5]], obs[[1, 2, 4, 5, 6]]
    ends = np.array([0, 1, 0, 0, 1], bool)
    np.savez(tmp_path / "a.npz", obs=before, next_obs=after, act=act, truncated=ends)
    check(load_episodes(tmp_path / "a.npz"))
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        names = ("observations", "next_observations", "actions", "timeouts")
        for name, column in zip(names, (before, after, act, ends), strict=True):
            file[name] = column
        file["infos/qpos"] = np.zeros((5, 9))  # D4RL's files have such groups, of no use here
        file["metadata/algorithm"] = "SAC"
    store = load_episodes(tmp_path / "a.hdf5", observation_space=FLAT, action_space=UNIT)
    check(store)
    assert store.truncated.tolist() == ends.tolist()


def test_leaves_of_dict_observations(tmp_path):
    obs, act, lengths = two_episodes()
    leaves = {"obs/position": obs, "obs/angle": -obs[:, :1]}
    np.savez(tmp_path / "a.npz", act=act, lengths=lengths, **leaves)
    store = load_episodes(tmp_path / "a.npz", observation_space=PLACE, action_space=UNIT)
    assert store.obs_layout is not None
    assert store.obs_layout.keys == ("angle", "position")
    np.testing.assert_allclose(store.obs[4], [-11, 11, 22])
    chosen = load_episodes(tmp_path / "a.npz", ["position"], observation_space=PLACE)
    np.testing.assert_allclose(chosen.obs, obs)


def test_a_saved_store_and_its_folder(tmp_path):
    obs, act, lengths = two_episodes()
    none = np.zeros(5, bool)
    store = EpisodeStore(obs, act, np.zeros(5), none, none, np.array(lengths), action_space=UNIT)
    store.save(tmp_path / "runs" / "episodes.safetensors")
    check(load_episodes(tmp_path / "runs"))
    check(load_episodes(tmp_path / "runs" / "episodes.safetensors", action_space=UNIT))


def step(number: float, end: bool = False, n: int = 2) -> Batch:
    column = np.full((n, 1), number)
    flags = {"terminated": np.zeros(n, bool), "truncated": np.full(n, end)}
    return Batch(obs=column, act=np.full(n, 1), rew=np.ones(n), obs_next=column + 1, **flags)


def test_a_saved_vector_buffer_that_wrapped_around(tmp_path):
    buffer = VectorReplayBuffer(8, 2)
    for number in range(6):
        buffer.add(step(number, end=number == 3), buffer_ids=[0, 1])
    buffer.save_hdf5(str(tmp_path / "a.hdf5"))
    store = load_episodes(tmp_path / "a.hdf5", action_space=gym.spaces.Discrete(3))
    # Each half holds the steps 2..5; an episode ended at 3.
    assert store.lengths.tolist() == [2, 2, 2, 2]
    assert store.obs[:, 0].tolist() == [2, 3, 4, 4, 5, 6] * 2
    assert store.act.tolist() == [1] * 8


def test_a_saved_buffer_in_part_and_without_pickles(tmp_path, monkeypatch):
    buffer = ReplayBuffer(9)
    for number in range(3):
        buffer.add(Batch(**{name: part[0] for name, part in step(number, n=1).items()}))
    buffer.save_hdf5(str(tmp_path / "a.h5"))
    monkeypatch.setattr("pickle.loads", None)
    store = load_episodes(tmp_path / "a.h5", action_space=gym.spaces.Discrete(3))
    assert store.obs[:, 0].tolist() == [0, 1, 2, 3]


def test_units_of_a_saved_buffer_must_be_clear(tmp_path):
    buffer = ReplayBuffer(9)
    flags = {"terminated": False, "truncated": False}
    buffer.add(Batch(obs=np.zeros(2), act=np.ones(1), rew=0.0, obs_next=np.zeros(2), **flags))
    buffer.save_hdf5(str(tmp_path / "a.h5"))
    assert load_episodes(tmp_path / "a.h5", action_space=UNIT).n_steps == 1
    with pytest.raises(ValueError, match=r"units of their policy.*from_buffer\(buffer, policy=policy\)"):
        load_episodes(tmp_path / "a.h5", action_space=gym.spaces.Box(-2, 2, (1,)))


def test_discrete_actions_as_a_column_of_whole_numbers(tmp_path):
    np.savez(tmp_path / "a.npz", obs=np.zeros((1, 3, 2)), act=np.array([[[1.0], [2.0]]]))
    store = load_episodes(tmp_path / "a.npz", action_space=gym.spaces.Discrete(3))
    assert store.act.tolist() == [1, 2]
    with pytest.raises(ValueError, match=r"actions of Discrete\(2\)"):
        load_episodes(tmp_path / "a.npz", action_space=gym.spaces.Discrete(2))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"obs": np.zeros((4, 2))}, r"without act"),
        ({"obs": np.zeros((5, 2)), "act": np.zeros((4, 1))}, r"add `lengths`.*or `next_obs`"),
        (
            {"obs": np.zeros((5, 2)), "act": np.zeros((4, 1)), "lengths": [5]},
            "add up to the 4 steps of `act`",
        ),
        ({"obs": np.array([None]), "act": np.zeros(1)}, "arrays of numbers only"),
        ({"obs": np.zeros((5, 3)), "act": np.zeros((4, 1)), "lengths": [4]}, r"shape \(2,\)\. Received"),
        ({"obs": np.zeros((5, 2)), "act": np.full((4, 1), 7.0), "lengths": [4]}, r"actions of Box"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(arrays, message, tmp_path):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        load_episodes(tmp_path / "a.npz", observation_space=FLAT, action_space=UNIT)


def test_a_plain_array_has_no_order_of_leaves(tmp_path):
    np.savez(tmp_path / "a.npz", obs=np.zeros((1, 4, 3)), act=np.zeros((1, 3, 1)))
    with pytest.raises(ValueError, match="write each leaf as an array `obs/<leaf>`"):
        load_episodes(tmp_path / "a.npz", observation_space=PLACE)


def test_other_sources_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("1,2")
    (tmp_path / "a.npz").write_text("no archive")
    (tmp_path / "a.hdf5").write_text("no archive")
    with pytest.raises(ValueError, match=r"one of the formats \.npz"):
        load_episodes(tmp_path / "a.csv")
    with pytest.raises(ValueError, match=r"must be a file of np\.savez"):
        load_episodes(tmp_path / "a.npz")
    with pytest.raises(ValueError, match="must be an HDF5 file"):
        load_episodes(tmp_path / "a.hdf5")
    with pytest.raises(ValueError, match=r"one \.safetensors file"):
        load_episodes(tmp_path)
    with pytest.raises(FileNotFoundError, match="There is no file"):
        load_episodes(tmp_path / "b.npz")
    with pytest.raises(ValueError, match="neither a file nor a Minari data set"):
        load_episodes("no-such-data")


def test_a_minari_data_set(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    from rlpriors.data.minari import write_dataset

    walk = Episode(np.zeros((4, 2), np.float32), np.zeros((3, 1), np.float32), *np.zeros((3, 3)))
    write_dataset([walk, walk], "mine/walk-v0", observation_space=FLAT, action_space=UNIT)
    store = load_episodes("mine/walk-v0", observation_space=FLAT, action_space=UNIT)
    assert store.lengths.tolist() == [3, 3]
