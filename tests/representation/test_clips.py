"""Batches of clips: their frames and actions, from one store or several."""

from pathlib import Path

import numpy as np
import pytest

from rlpriors.data.frame_writer import FrameWriter
from rlpriors.data.frames import FrameStore
from rlpriors.representation.clips import FrameClips


def write(folder: Path, episodes: list[int], first: int, size: int = 4, act: object = None) -> FrameStore:
    """Frames that are their number all over; actions are that number modulo 3, or `act`."""
    with FrameWriter(folder) as writer:
        for length in episodes:
            numbers = np.arange(first, first + length)
            frames = np.broadcast_to(numbers[:, None, None, None], (length, size, size, 1)).astype(np.uint8)
            rows = {} if act is False else {"act": numbers % 3 if act is None else np.full((length, 2), act)}
            writer.add_episode(frames, **rows)
            first += length
    return writer.store


@pytest.mark.parametrize("preload_to_device", [False, True])
def test_windows_of_several_stores_are_those_of_each(tmp_path: Path, preload_to_device: bool) -> None:
    stores = [write(tmp_path / "a", [5, 3], 0), write(tmp_path / "b", [4], 8)]
    clips = FrameClips(stores, horizon=2, stride=2, preload_to_device=preload_to_device, device="cpu")
    assert clips.starts.tolist() == [0, 1, 2, 5, 8, 9]
    batch = clips.at(clips.starts[[5, 0, 3]])
    assert batch.frames[..., 0, 0, 0].tolist() == [[9, 11], [0, 2], [5, 7]]
    assert batch.act_index is not None
    assert batch.act_index.tolist() == [[[0, 1]], [[0, 1]], [[2, 0]]]
    assert clips.frame_shape == (4, 4, 1)


def test_processes_share_an_update_without_overlap(tmp_path: Path) -> None:
    clips = FrameClips(write(tmp_path / "a", [9], 0), device="cpu")
    parts = [clips.draw(3, 0, 7, rank=rank, world_size=3).frames[:, 0, 0, 0, 0].tolist() for rank in range(3)]
    assert sorted(number for part in parts for number in part) == list(range(9))
    with pytest.raises(ValueError, match="for 2 processes together, at most the number of clips, 9"):
        clips.draw(5, 0, 0, world_size=2)


def test_an_update_of_one_store_holds_windows_of_no_other(tmp_path: Path) -> None:
    stores = [write(tmp_path / "a", [6, 4], 0), write(tmp_path / "b", [5], 100)]
    clips = FrameClips(stores, horizon=2, single_source_batches=True, device="cpu")
    drawn = [clips.draw(4, 0, update).frames[:, 0, 0, 0, 0] for update in range(200)]
    assert all(len(set(numbers.tolist())) == 4 for numbers in drawn)
    assert all(bool((numbers < 100).all()) or bool((numbers >= 100).all()) for numbers in drawn)
    from_b = sum(bool((numbers >= 100).all()) for numbers in drawn) / 200
    assert from_b == pytest.approx(4 / 12, abs=0.1)  # as many windows as are its
    mixed = FrameClips(stores, horizon=2, device="cpu").draw(12, 0, 0).frames[:, 0, 0, 0, 0]
    assert sorted(mixed.tolist()) == [0, 1, 2, 3, 4, 6, 7, 8, 100, 101, 102, 103]
    with pytest.raises(ValueError, match=r"clips of the smallest store, 4\. Received 5"):
        clips.draw(5, 0, 0)


def test_actions_count_where_all_stores_have_them(tmp_path: Path) -> None:
    with_, without = write(tmp_path / "a", [4], 0), write(tmp_path / "b", [4], 4, act=False)
    assert FrameClips([with_, without], device="cpu").actions is None
    moves = write(tmp_path / "c", [4], 4, act=0.5)
    actions = FrameClips(moves, device="cpu").actions
    assert actions is not None
    assert (actions.dim, actions.discrete) == (2, False)
    with pytest.raises(ValueError, match="`act` must be of one kind in all stores"):
        FrameClips([with_, moves], device="cpu")


def test_float_actions_are_brought_to_one_scale_over_all_stores(tmp_path: Path) -> None:
    stores = []
    for name, act in {"a": [[0, 1000], [2, 1000], [9, 9]], "b": [[4, 4000], [6, 4000], [9, 9]]}.items():
        with FrameWriter(tmp_path / name) as writer:
            writer.add_episode(np.zeros((3, 4, 4, 1), np.uint8), act=np.array(act, np.float32))
        stores.append(writer.store)
    clips = FrameClips(stores, horizon=2, device="cpu")
    act = clips.at(clips.starts).act
    assert act is not None
    # Means 3 and 2500, deviations sqrt(5) and 1500: nothing was done at an episode's last frame.
    expected = np.array([[-3, -1], [-1, -1], [1, 1], [3, 1]]) / [np.sqrt(5), 1]
    assert act[:, 0].numpy() == pytest.approx(expected)
    longer = FrameClips(stores, horizon=2, stride=2, device="cpu")
    both = longer.at(longer.starts).act
    assert both is not None
    assert both.flatten(1).numpy() == pytest.approx(expected.reshape(2, 4))
    first = FrameClips(stores[0], horizon=2, device="cpu")  # its second entry never changes
    alone = first.at(first.starts).act
    assert alone is not None
    assert alone.flatten(1).tolist() == [[-1, 0], [1, 0]]


def test_mixed_sizes_and_short_episodes_are_refused(tmp_path: Path) -> None:
    stores = [write(tmp_path / "a", [4], 0), write(tmp_path / "b", [4], 0, size=6)]
    with pytest.raises(ValueError, match=r"one size. Received \(6, 6, 1\) in .*b, \(4, 4, 1\) in .*a; write"):
        FrameClips(stores, device="cpu")
    with pytest.raises(ValueError, match=r"one size\. Received no store"):
        FrameClips([], device="cpu")
    steps = write(tmp_path / "c", [1, 1], 0)
    with pytest.raises(ValueError, match=r"it needs 2 frames\. Received episodes of at most 1"):
        FrameClips(steps, horizon=2, device="cpu")
