"""Training of worlds: dynamics and ends are learned, and a resumed training is bit-equal."""

from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from corridor_env import Corridor, rollouts
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.trainer import OfflineTrainerParams

from rlpriors.agents import WorldModel, WorldModelTraining
from rlpriors.checkpoint import CheckpointError
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.training.offline import train_offline


@pytest.fixture(scope="module")
def corridor() -> EpisodeStore:
    return rollouts(Corridor(ends=True), 60, "random")


def make(data: EpisodeStore, seed: int = 0, **sizes: object) -> WorldModelTraining:
    model = WorldModel.fit(data, hidden=(32,), n_members=2, seed=seed, **sizes)  # type: ignore[arg-type]
    return WorldModelTraining(model=model, optim=AdamOptimizerFactory(lr=1e-2), device="cpu", seed=seed)


def test_a_corridor_with_ends_is_learned(corridor: EpisodeStore) -> None:
    """Each cell and action: the next cell, and an end in the first and the last cell only."""
    algorithm = make(corridor)
    algorithm.run_training(
        OfflineTrainerParams(
            buffer=to_buffer(corridor),
            batch_size=64,
            max_epochs=1,
            epoch_num_steps=600,
            verbose=False,
            show_progress=False,
        )
    )
    cells, acts = (
        part.reshape(-1, 1).float()
        for part in torch.meshgrid(torch.arange(1, 6), torch.arange(3), indexing="ij")
    )
    after = algorithm.model.predict(cells, acts).mean.mean(0)
    assert (after - (cells + acts - 1)).abs().max() < 0.2
    ends = algorithm.model.end_probability(cells, acts, cells + acts - 1) > 0.5
    assert ends.tolist() == [cell in (0, 6) for cell in (cells + acts - 1).flatten().tolist()]


def test_the_last_step_of_an_episode_is_learned_with_its_final_observation(corridor: EpisodeStore) -> None:
    algorithm = make(corridor)
    buffer = algorithm.process_buffer(to_buffer(corridor))
    assert len(buffer) == corridor.n_steps
    windows, starts = buffer.sample(None)
    expected = corridor.transitions(starts)
    assert torch.equal(windows.obs[:, 0], expected.obs)
    assert torch.equal(windows.obs[:, 1], expected.obs_next)
    assert torch.equal(windows.terminated[:, 0], expected.terminated)


def test_a_resumed_training_is_bit_equal(corridor: EpisodeStore, tmp_path: Path) -> None:
    def train(folder: Path, n_updates: int, resume: bool = False) -> WorldModelTraining:
        algorithm = make(corridor, head="gaussian")
        train_offline(
            algorithm,
            to_buffer(corridor),
            folder=folder,
            name="world",
            n_updates=n_updates,
            batch_size=16,
            epoch_updates=5,
            resume=resume,
            tracker="csv",
        )
        return algorithm

    whole = train(tmp_path / "whole", 10)
    train(tmp_path / "parts", 5)
    resumed = train(tmp_path / "parts", 10, resume=True)
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, resumed.model.state_dict()[name]), name
    with pytest.raises(CheckpointError, match="seed 0"):
        make(corridor, seed=1, head="gaussian").resume(whole.resume_state())
    with pytest.raises(CheckpointError, match=r"model\.head"):
        make(corridor).resume(whole.resume_state())


def test_data_that_do_not_fit(corridor: EpisodeStore) -> None:
    endless = rollouts(Corridor(), 5, "random")
    with pytest.raises(ValueError, match="must not terminate"):
        make(endless).process_buffer(to_buffer(corridor))
    with pytest.raises(ValueError, match="action space"):
        make(endless).process_buffer(to_buffer(rollouts(Corridor(start=1), 5, "random")))


def test_the_policy_of_the_training_does_not_act(corridor: EpisodeStore) -> None:
    with pytest.raises(NotImplementedError, match="learns a world and no policy"):
        make(corridor).policy(np.zeros(1))
    assert isinstance(make(corridor).policy.action_space, gym.spaces.Discrete)
