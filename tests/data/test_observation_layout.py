import gymnasium as gym
import numpy as np
import pytest

from rlpriors.data import Episode, EpisodeStore
from rlpriors.data.buffers import FastReplayBuffer, from_buffer, to_buffer
from rlpriors.data.observation_layout import ObservationLayout, check_layouts

KEYS = ("position", "goal")
LAYOUT = ObservationLayout(KEYS, ((1,), (1,)))


def make_store(keys=KEYS):
    obs = {"position": np.full((3, 1), 1.0), "goal": np.full((3, 1), -5.0)}
    return EpisodeStore.from_episodes([Episode(obs, np.zeros((2, 1)), *np.zeros((3, 2)))], keys)


class TestLayout:
    def test_leaves_shapes_and_order_by_hand(self):
        box = gym.spaces.Box(-1, 1, (2, 3))
        space = gym.spaces.Dict(b=gym.spaces.Discrete(4), a=gym.spaces.Dict(c=box))
        obs = {"b": np.zeros(9), "a": {"c": np.zeros((9, 2, 3))}}
        assert ObservationLayout.of(space) == ObservationLayout(("a/c", "b"), ((2, 3), ()))
        assert ObservationLayout.of(obs, ["b", "a/c"], 1) == ObservationLayout(("b", "a/c"), ((), (2, 3)))
        assert ObservationLayout.of(np.zeros((9, 2))) is None

    def test_unknown_parts_agree(self):
        assert check_layouts("r", None, "d", LAYOUT) == LAYOUT
        assert check_layouts("r", LAYOUT, "d", None) == LAYOUT
        assert check_layouts("r", ObservationLayout(KEYS), "d", LAYOUT) == LAYOUT
        assert check_layouts("r", None, "d", None) is None

    @pytest.mark.parametrize(
        ("keys", "shapes"),
        [(("goal", "position"), None), (("position",), None), (KEYS, ((2,), ()))],
        ids=["order", "leaves", "shapes"],
    )
    def test_the_error_names_both_sides(self, keys, shapes):
        other = ObservationLayout(keys, shapes)
        with pytest.raises(
            ValueError, match=r"`r` must.*\('position' \(1,\), 'goal' \(1,\)\).*from the data"
        ):
            check_layouts("`r`", LAYOUT, "the data", other)

    def test_json_round_trip(self):
        for layout in (LAYOUT, ObservationLayout(KEYS)):
            assert ObservationLayout.from_json(layout.to_json()) == layout

    def test_malformed_layouts_are_refused(self):
        with pytest.raises(ValueError, match="`keys` must name at least one leaf"):
            ObservationLayout(())
        with pytest.raises(ValueError, match="one shape for each"):
            ObservationLayout(KEYS, ((1,),))


class TestStore:
    def test_it_is_carried(self, tmp_path):
        store = make_store()
        assert store.obs[0].tolist() == [1, -5]
        assert store.obs_layout == LAYOUT
        assert store.subset([0]).obs_layout == LAYOUT
        assert EpisodeStore.load(store.save(tmp_path / "a")).obs_layout == LAYOUT
        assert EpisodeStore.load(store.save(tmp_path / "b", dtype="float16")).obs_layout == LAYOUT
        assert make_store(None).obs_layout == ObservationLayout(("goal", "position"), ((1,), (1,)))

    def test_through_a_buffer_and_its_file(self, tmp_path):
        buffer = to_buffer(make_store())
        assert from_buffer(buffer).obs_layout == LAYOUT
        buffer.save_hdf5(str(tmp_path / "buffer"))
        assert from_buffer(FastReplayBuffer.load_hdf5(str(tmp_path / "buffer"))).obs_layout == LAYOUT

    def test_plain_observations_have_none(self, tmp_path):
        store = EpisodeStore.from_episodes([make_store().episode(0)])
        assert store.obs_layout is None
        assert EpisodeStore.load(store.save(tmp_path / "plain")).obs_layout is None

    def test_a_layout_that_does_not_fit_is_refused(self):
        with pytest.raises(ValueError, match=r"`obs` must have observations of shape \(3,\)"):
            EpisodeStore(*_columns(), ObservationLayout(("a",), ((3,),)))

    def test_episodes_with_other_leaves_are_refused(self):
        first = Episode({"a": np.zeros((3, 1))}, np.zeros((2, 1)), *np.zeros((3, 2)))
        with pytest.raises(
            ValueError, match=r"\('a' \(1,\)\) in episode 0. Received \('b' \(1,\)\) in episode 1"
        ):
            EpisodeStore.from_episodes([first, first._replace(obs={"b": np.zeros((3, 1))})])


def _columns():
    store = make_store()
    return store.obs, store.act, store.rew, store.terminated, store.truncated, store.lengths
