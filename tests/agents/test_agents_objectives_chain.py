"""The chain objective: what it compares, where its gradient goes, what it remembers."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from rlpriors.agents import DiffusionIRL
from rlpriors.agents.objectives import Chain, ChainSettings, Update
from rlpriors.checkpoint import load_resume, save_resume
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.diffusion import PlannerSettings
from rlpriors.diffusion.guidance import GuidanceSettings
from rlpriors.rewards import MLPReward, RewardSettings
from rlpriors.rewards.divergences import DIVERGENCES, DivergenceSettings, median_distance
from rlpriors.rewards.trajectory import TrajectoryValue, TrajectoryValueSettings

MMD = DivergenceSettings("mmd-rbf")


def an_update(algorithm: DiffusionIRL, data: EpisodeStore, n: int = 8) -> Update:
    """What the objective would see of the first windows of the data."""
    frames = algorithm.policy.frames
    window = data.windows(data.window_starts(frames.horizon)[:n], frames.horizon)
    return Update(
        policy=algorithm.policy,
        online=algorithm.online,
        averaged=algorithm.reward,
        window=window,
        expert=frames.pack(window),
        base=None,
        generator=torch.Generator().manual_seed(0),
        step=0,
    )


@pytest.mark.parametrize(
    ("drift", "settings"),
    [
        (0.5, ChainSettings()),
        (-0.5, ChainSettings(MMD, gradient="checkpoint", per_frame=True)),
    ],
    ids=["right", "left"],
)
def test_demonstrations_that_go_somewhere_make_it_worth_being_there(
    walks, gaussian_policy, make_algorithm, train, drift: float, settings: ChainSettings
) -> None:
    data, demonstrations = walks(n=200, dim=1), walks(n=40, dim=1, drift=drift, seed=1)
    policy = gaussian_policy(data, planner=PlannerSettings(n_steps=5))
    algorithm = make_algorithm(
        DiffusionIRL, data, policy=policy, hidden=(32, 32), objective=settings, base=data, lr=5e-3
    )
    algorithm.process_buffer(to_buffer(demonstrations))

    def divergence() -> float:
        return algorithm.objectives[0](an_update(algorithm, demonstrations, 200)).stats["divergence"]

    before = divergence()
    train(algorithm, demonstrations, 60, batch_size=64)
    assert divergence() < 0.5 * before
    x = np.linspace(-1, 1, 50, dtype=np.float32)[:, None]
    learned = policy.reward.score(x, 0 * x, x)
    assert spearmanr(np.sign(drift) * x[:, 0], learned).statistic > 0.8
