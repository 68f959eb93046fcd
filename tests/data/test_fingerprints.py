from dataclasses import replace

import numpy as np
import pytest

from rlpriors.data import Episode, EpisodeStore
from rlpriors.data.fingerprints import frames_fingerprint, store_fingerprint
from rlpriors.data.frame_writer import FrameWriter


@pytest.fixture
def store():
    return EpisodeStore.from_episodes([Episode(np.arange(5.0)[:, None], np.ones((4, 1)), *np.zeros((3, 4)))])


def test_a_store_is_known_by_what_windows_hold(store):
    assert store_fingerprint(store) == store_fingerprint(store.subset([0]))
    assert store_fingerprint(store) == store_fingerprint(replace(store, rew=np.ones(4)))
    ends = np.array([False, False, False, True])
    changed = {"obs": store.obs + 1, "act": store.act * 2, "terminated": ends, "truncated": ends}
    prints = {store_fingerprint(replace(store, **{name: array})) for name, array in changed.items()}
    assert len(prints | {store_fingerprint(store)}) == 5


def test_frames_are_known_by_a_sample(tmp_path):
    prints = set()
    for number, (brightness, action, steps) in enumerate(
        [(1, 1, 6), (1, 1, 6), (2, 1, 6), (1, 2, 6), (1, 1, 7)]
    ):
        with FrameWriter(tmp_path / str(number)) as writer:
            images = np.full((steps, 4, 4, 1), brightness, np.uint8)
            writer.add_episode(images, act=np.full(steps, action))
        prints.add(frames_fingerprint(writer.store))
    assert len(prints) == 4
