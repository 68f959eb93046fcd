import time

import gymnasium as gym
import numpy as np
import pytest
from tianshou.algorithm.algorithm_base import Policy, RandomActionPolicy
from tianshou.data import Batch, ReplayBuffer, VectorReplayBuffer

from rlpriors.data import Episode, EpisodeStore
from rlpriors.data.buffers import FastReplayBuffer, FastVectorReplayBuffer, from_buffer, to_buffer

ANY = gym.spaces.Box(-np.inf, np.inf, (1,))


def step(now, *, done=None, nested=False, rew=1.0):
    """The step from observation `now` to `now + 1`; `done` is "terminated", "truncated" or nothing."""
    obs, obs_next = np.array([now, -now], np.float32), np.array([now + 1, -now - 1], np.float32)
    return {
        "obs": {"xy": obs, "deep": {"id": obs[:1]}} if nested else obs,
        "obs_next": {"xy": obs_next, "deep": {"id": obs_next[:1]}} if nested else obs_next,
        "act": np.array([10.0 * now], np.float32),
        "rew": rew,
        "terminated": done == "terminated",
        "truncated": done == "truncated",
    }


def add_row(buffer, rows, ids=None):
    buffer.add(Batch.stack([Batch(row) for row in rows]), buffer_ids=ids)


def parts(store):
    return [store.episode(i).obs[:, 0].tolist() for i in range(store.n_episodes)]


@pytest.fixture
def store():
    def make(steps, first, terminated, truncated):
        now = first + np.arange(steps + 1.0)[:, None]
        last = np.arange(steps) == steps - 1
        return Episode(now, 10 * now[:-1], now[:-1, 0], last & terminated, last & truncated)

    return EpisodeStore.from_episodes(
        [make(3, 0.0, True, False), make(1, 100.0, False, True), make(2, 200.0, False, False)]
    )


class TestToBuffer:
    def test_by_hand(self, store):
        buffer = to_buffer(store)
        assert len(buffer) == 6
        assert buffer.obs[:, 0].tolist() == [0, 1, 2, 100, 200, 201]
        assert buffer.obs_next[:, 0].tolist() == [1, 2, 3, 101, 201, 202]
        assert buffer.terminated.tolist() == [False, False, True, False, False, False]
        assert buffer.truncated.tolist() == [False, False, False, True, False, True]  # the unfinished one too
        assert buffer.done.tolist() == [False, False, True, True, False, True]
        assert not buffer.hasnull()

    def test_neighbors_stay_inside_episodes(self, store):
        buffer = to_buffer(store)
        assert buffer.next(np.arange(6)).tolist() == [1, 2, 2, 3, 5, 5]
        assert buffer.prev(np.arange(6)).tolist() == [0, 0, 1, 3, 4, 4]
        assert buffer.unfinished_index().tolist() == []

    def test_nothing_is_shared(self, store):
        buffer = to_buffer(store)
        buffer.rew[:] = 7
        buffer.act[:] = 7
        assert store.rew[0] == store.act[0] == 0

    def test_the_seed_decides_what_is_sampled(self, store):
        draws = [to_buffer(store, seed=s).sample_indices(20).tolist() for s in (1, 1, 2)]
        assert draws[0] == draws[1] != draws[2]

    def test_round_trip(self, store):
        back = from_buffer(to_buffer(store))
        for name in ("obs", "act", "rew", "terminated", "lengths"):
            assert np.array_equal(getattr(back, name), getattr(store, name))

    def test_discrete(self):
        store = EpisodeStore(
            np.arange(3), np.array([1, 0]), np.zeros(2), np.zeros(2, bool), np.zeros(2, bool), np.array([2])
        )
        back = from_buffer(to_buffer(store))
        assert back.obs.tolist() == [0, 1, 2]
        assert back.act.tolist() == [1, 0]
        assert back.act.dtype == np.int64


class TestFromBuffer:
    @pytest.mark.parametrize("kind", [ReplayBuffer, FastReplayBuffer])
    def test_episodes_end_where_done(self, kind):
        buffer = kind(10)
        for now, done in [(0, None), (1, "terminated"), (10, "truncated"), (20, None)]:
            buffer.add(Batch(step(now, done=done)))
        store = from_buffer(buffer, action_space=ANY)
        assert parts(store) == [[0, 1, 2], [10, 11], [20, 21]]
        assert store.act[:, 0].tolist() == [0, 10, 100, 200]
        assert store.terminated.tolist() == [False, True, False, False]
        assert store.truncated.tolist() == [False, False, True, False]

    def test_a_wrapped_ring_is_read_from_its_oldest_step(self):
        buffer = ReplayBuffer(4)
        for now in range(4):
            buffer.add(Batch(step(now, done="terminated" if now == 3 else None)))
        for now in (10, 11):
            buffer.add(Batch(step(now)))
        assert parts(from_buffer(buffer, action_space=ANY)) == [[2, 3, 4], [10, 11, 12]]

    @pytest.mark.parametrize("kind", [VectorReplayBuffer, FastVectorReplayBuffer])
    def test_sub_buffers_are_kept_apart(self, kind):
        buffer = kind(6, 2)  # three steps each
        for now in range(2):
            add_row(buffer, [step(now), step(100 + now)])
        for now in range(2, 4):
            add_row(buffer, [step(100 + now, done="truncated" if now == 3 else None)], ids=[1])
        assert parts(from_buffer(buffer, action_space=ANY)) == [[0, 1, 2], [101, 102, 103, 104]]

    def test_a_reset_without_done_is_seen(self):
        buffer = ReplayBuffer(10)
        for now in (0, 1, 50, 51):
            buffer.add(Batch(step(now)))
        assert parts(from_buffer(buffer, action_space=ANY)) == [[0, 1, 2], [50, 51, 52]]

    def test_dictionary_observations(self):
        buffer = VectorReplayBuffer(10, 2)
        for now in range(2):
            add_row(buffer, [step(now, nested=True), step(100 + now, nested=True)])
        store = from_buffer(buffer, ["xy"], action_space=ANY)
        assert store.obs[:, 1].tolist() == [0, -1, -2, -100, -101, -102]
        assert from_buffer(buffer, action_space=ANY).obs.shape == (6, 3)
        with pytest.raises(ValueError, match=r"`keys` must name leaves.*'deep/id', 'xy'"):
            from_buffer(buffer, ["goal"], action_space=ANY)

    def test_buffers_that_cannot_be_read_are_refused(self):
        with pytest.raises(ValueError, match="`buffer` must hold at least one step"):
            from_buffer(ReplayBuffer(5))
        for options in ({"ignore_obs_next": True}, {"stack_num": 2}):
            buffer = ReplayBuffer(5, **options)
            buffer.add(Batch(step(0)))
            with pytest.raises(ValueError, match=r"`buffer` must store `obs_next` and single frames"):
                from_buffer(buffer)

    def test_nan_is_refused(self):
        buffer = ReplayBuffer(5)
        buffer.add(Batch(step(0, rew=np.nan)))
        with pytest.raises(ValueError, match="`rew` must be finite"):
            from_buffer(buffer, action_space=ANY)


class TestFastBuffers:
    @pytest.mark.parametrize("nested", [False, True])
    @pytest.mark.parametrize("key", ["obs", "act", "rew", "obs_next"])
    def test_nan_is_seen_as_it_comes_in(self, key, nested):
        buffer = FastVectorReplayBuffer(20, 2)
        add_row(buffer, [step(0, nested=nested), step(5, nested=nested)])
        assert not buffer.hasnull()
        bad = step(1, nested=nested)
        leaf = bad[key]["deep"]["id"] if isinstance(bad[key], dict) else bad[key]
        if key == "rew":
            bad["rew"] = np.nan
        else:
            leaf[0] = np.nan
        add_row(buffer, [bad], ids=[1])
        assert buffer.hasnull()
        buffer.reset()
        assert not buffer.hasnull()

    def test_nan_from_another_buffer_is_seen(self):
        other = ReplayBuffer(3)
        other.add(Batch(step(0, rew=np.nan)))
        buffer = FastReplayBuffer(5)
        buffer.update(other)
        assert buffer.hasnull()
        buffer.dropnull()
        assert not buffer.hasnull()

    def test_it_is_fast(self):
        store = EpisodeStore(
            np.zeros((200_001, 4)), np.zeros((200_000, 2)), np.zeros(200_000), np.zeros(200_000, bool),
            np.zeros(200_000, bool), np.array([200_000]),
        )  # fmt: skip
        buffer = to_buffer(store)
        start = time.perf_counter()
        for _ in range(100):
            assert not buffer.hasnull()
        assert time.perf_counter() - start < 0.05  # one scan of these takes longer

    def test_a_copy_knows(self, tmp_path):
        buffer = FastReplayBuffer(5)
        buffer.add(Batch(step(0, rew=np.nan)))
        buffer.save_hdf5(str(tmp_path / "buffer.hdf5"))
        assert FastReplayBuffer.load_hdf5(str(tmp_path / "buffer.hdf5")).hasnull()


def test_actions_as_the_environment_was_given_them() -> None:
    buffer = ReplayBuffer(4)
    for step in range(3):
        obs = np.array([float(step)])
        buffer.add(
            Batch(
                obs=obs,
                act=np.array([0.5]),
                rew=0.0,
                terminated=False,
                truncated=step == 2,
                obs_next=obs + 1,
                info={},
            )
        )
    assert from_buffer(buffer, action_space=ANY).act.ravel().tolist() == [0.5] * 3
    assert from_buffer(buffer, map_action=lambda act: 2 * act).act.ravel().tolist() == [1.0] * 3
    with pytest.raises(ValueError, match=r"units of the actions in `buffer`.*a ReplayBuffer.*policy=policy"):
        from_buffer(buffer)


class ScaledPolicy(Policy):
    """Actions in -1..1, scaled to the action space."""

    def __init__(self, action_space):
        super().__init__(action_space, action_scaling=True, action_bound_method="clip")

    def forward(self, batch, state=None, **kwargs):
        return Batch(act=np.full((len(batch.obs), 1), 0.6), state=None)


def buffer_of(*actions):
    buffer = ReplayBuffer(len(actions))
    for number, act in enumerate(actions):
        buffer.add(Batch(step(number) | {"act": np.atleast_1d(act)}))
    return buffer


class TestActionUnits:
    def test_the_policy_that_filled_a_buffer_states_the_units(self):
        box = gym.spaces.Box(0, 5, (1,))
        store = from_buffer(buffer_of(0.6, -1.0, 1.3), policy=ScaledPolicy(box))
        assert store.act.ravel().tolist() == [4.0, 0.0, 5.0]
        assert store.action_space == box

    def test_a_store_keeps_its_units_in_a_buffer(self):
        box = gym.spaces.Box(0, 5, (1,))
        store = from_buffer(buffer_of(4.0, 0.0), action_space=box)
        assert from_buffer(to_buffer(store)).action_space == box
        with pytest.raises(ValueError, match=r"`buffer` must have the action space of .*, Box\(-1"):
            from_buffer(to_buffer(store), action_space=gym.spaces.Box(-1, 1, (1,)))

    def test_executed_actions_outside_of_the_space_are_refused(self):
        buffer = buffer_of(0.5, 1.79)
        with pytest.raises(ValueError, match=r"Box\(-1.0, 1.0.*Received \[1\.79.*\] at step 1 of episode 0"):
            from_buffer(buffer, action_space=gym.spaces.Box(-1, 1, (1,)))

    def test_a_random_policy_that_clips_is_refused(self):
        """Tianshou's random policy stores -2..2 and plays -1..1."""
        box = gym.spaces.Box(-2, 2, (1,))
        with pytest.raises(ValueError, match=r"clips actions to -1\.\.1.* up to 1\.9.*RandomPolicy"):
            from_buffer(buffer_of(0.5, 1.9), policy=RandomActionPolicy(box))

    def test_integer_actions_have_one_unit(self):
        assert from_buffer(buffer_of(0, 2)).act.ravel().tolist() == [0, 2]
        with pytest.raises(ValueError, match=r"Discrete\(2\), 0\.\.1\. Received \[2\] at step 1"):
            from_buffer(buffer_of(0, 2), action_space=gym.spaces.Discrete(2))

    def test_both_a_policy_and_a_function_are_refused(self):
        with pytest.raises(ValueError, match=r"`map_action` must be None with a `policy`"):
            from_buffer(buffer_of(0.5), policy=ScaledPolicy(ANY), map_action=abs)


@pytest.mark.usefixtures("without_type_checks")
@pytest.mark.parametrize("buffer", ["text", None, [None]], ids=str)
def test_something_else_than_a_buffer_is_refused(buffer):
    with pytest.raises(TypeError, match=r"`buffer` must be a ReplayBuffer\. Received an object of class"):
        from_buffer(buffer)
