"""Queues, neighbor banks and centers: their contents, their order and their place in a saved state."""

import pytest
import torch

from rlpriors.data.frames import FrameStore
from rlpriors.encoders import load_encoder
from rlpriors.representation import RECIPES, RepresentationLearner, TrainingSettings
from rlpriors.representation.modules.memory_banks import KeyQueue, MovingCenter, NeighborBank


def keys(*numbers: float) -> dict[str, torch.Tensor]:
    """Unit vectors at these angles."""
    angles = torch.tensor(numbers)
    return {"y.target": torch.stack([angles.cos(), angles.sin()], 1)}


def test_a_queue_starts_empty_and_forgets_the_oldest() -> None:
    memory = KeyQueue("y.target", size=3, dim=2)
    assert int(memory({})["filled"]) == 0
    memory.after_step(keys(0.0, 0.1))
    assert int(memory({})["filled"]) == 2
    memory.after_step(keys(0.2, 0.3))
    found = memory({})
    assert int(found["filled"]) == 3
    held = torch.atan2(found["queue"][:, 1], found["queue"][:, 0])
    assert held.tolist() == pytest.approx([0.3, 0.1, 0.2])


def test_a_queue_holds_unit_vectors_and_the_last_of_a_large_batch() -> None:
    memory = KeyQueue("y.target", size=2, dim=2)
    memory.after_step({"y.target": torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 4.0]])})
    assert sorted(memory.vectors.tolist()) == [pytest.approx([0, 1]), pytest.approx([0.6, 0.8])]


def test_neighbors_are_sought_among_other_rows_and_earlier_ones() -> None:
    memory = NeighborBank(size=4, key_dim=2, value_dim=1, n_neighbors=1)
    batch = {"key.query": keys(0.0, 2.0)["y.target"]}
    batch |= {"key.pool": keys(0.0, 2.0)["y.target"], "value.pool": torch.tensor([[0.0], [2.0]])}
    assert memory(batch)["mined"].tolist() == [[2.0], [0.0]]  # not themselves
    memory.after_step({**batch, "key.pool": keys(0.1, 3.0)["y.target"], "value.pool": torch.ones(2, 1)})
    assert memory(batch)["mined"].tolist() == [[1.0], [1.0]]


def test_one_of_the_nearest_is_drawn() -> None:
    memory = NeighborBank(size=1, key_dim=2, value_dim=1, n_neighbors=2)
    vectors = keys(0.0, 0.1, 0.2, 3.0)["y.target"]
    batch = {"key.query": vectors, "key.pool": vectors, "value.pool": torch.arange(4.0)[:, None]}
    torch.manual_seed(0)
    drawn = {float(memory(batch)["mined"][0]) for _ in range(20)}
    assert drawn == {1.0, 2.0}


def test_a_center_moves_to_the_mean_of_its_outputs() -> None:
    memory = MovingCenter(("y.a", "y.b"), dim=2, decay=0.5)
    batch = {"y.a": torch.tensor([[4.0, 0.0]]), "y.b": torch.tensor([[0.0, 8.0], [2.0, 4.0]])}
    memory.after_step(batch)
    assert memory(batch)["center"].tolist() == [1, 2]  # half way to (2, 4)
    memory.after_step(batch)
    assert memory(batch)["center"].tolist() == [1.5, 3]


def test_memories_refuse_what_cannot_be() -> None:
    with pytest.raises(ValueError, match=r"`size` of a queue must be at least 1. Received 0"):
        KeyQueue("y", 0, 2)
    with pytest.raises(ValueError, match=r"`n_neighbors` of a neighbor bank must be at least 1. Received 0"):
        NeighborBank(2, 2, 2, n_neighbors=0)
    with pytest.raises(ValueError, match=r"`decay` of a center must be in \[0, 1\]. Received 1.5"):
        MovingCenter(("y",), 2, decay=1.5)
    vectors = keys(0.0, 1.0)["y.target"]
    batch = {"key.query": vectors, "key.pool": vectors, "value.pool": vectors}
    with pytest.raises(ValueError, match=r"more rows than `n_neighbors`, 2. Received 2"):
        NeighborBank(2, 2, 2, n_neighbors=2)(batch)


@pytest.mark.parametrize(("name", "buffer"), [("moco", "memory.vectors"), ("myow", "memory.keys")])
def test_memories_are_part_of_a_saved_state(name: str, buffer: str, store: FrameStore) -> None:
    """EIRLI's queue was no module: it stayed on the CPU and was not saved."""
    encoder = load_encoder("nature-cnn", weights="none", input_size=(40, 40), device="cpu")
    learner = RepresentationLearner(
        encoder, RECIPES[name](), store, TrainingSettings(updates=1, batch_size=8)
    )
    assert learner.state()["model"][buffer].abs().sum() == 0
    learner.update()
    rows = learner.state()["model"][buffer].norm(dim=1)
    assert torch.allclose(rows[:8], torch.ones(8))
    assert rows[8:].sum() == 0
