"""Ranking of held-out time steps, and the progress loss that follows from it."""

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.trainer import OfflineTrainerParams

from rlpriors.agents import DiffuserPolicy, DiffusionIRL, DiffusionIRLSettings, TrajectoryLayout
from rlpriors.agents.irl.order_accuracy import goal_entries, order_accuracy
from rlpriors.agents.offline_algorithm import WindowBuffer
from rlpriors.data import Episode, EpisodeStore
from rlpriors.data.buffers import to_buffer
from rlpriors.diffusion import DiffusionProcess, NoiseSchedule
from rlpriors.networks import build_denoiser
from rlpriors.rewards import MLPReward, RewardSettings


def make_store(kind: str, n: int = 8, length: int = 120) -> EpisodeStore:
    """Return walks along a line, or circles with random phases: the first progress, the others repeat."""
    rng, episodes = np.random.default_rng(0), []
    for _ in range(n):
        t = np.arange(length + 1)
        if kind == "walk":
            obs = np.stack([t / length, rng.normal(0, 0.1, length + 1)], 1)
        else:
            angle = t * 0.3 + rng.uniform(0, 2 * np.pi)
            obs = np.stack([np.cos(angle), np.sin(angle)], 1)
        episodes.append(Episode(obs.astype(np.float32), np.zeros((length, 1)), *np.zeros((3, length))))
    return EpisodeStore.from_episodes(episodes)


def make_irl(
    store: EpisodeStore,
    obs_dim: int = 2,
    reference: Any = None,
    absorbing: bool = False,
    **settings: float,
) -> DiffusionIRL:
    torch.manual_seed(0)
    layout = TrajectoryLayout.fit(store, horizon=8, absorbing=absorbing)
    policy = DiffuserPolicy(
        denoiser=build_denoiser("mlp", horizon=8, dim=layout.dim),
        layout=layout,
        process=DiffusionProcess(NoiseSchedule(20)),
        action_space=gym.spaces.Box(-1, 1, (1,)),
        device="cpu",
    )
    reward = MLPReward(RewardSettings(obs_dim=obs_dim, act_dim=1), layout.normalizer)
    optim = AdamOptimizerFactory(1e-3)
    return DiffusionIRL(
        policy=policy,
        reward=reward,
        optim=optim,
        prior_data=store,
        reference=reference,
        settings=DiffusionIRLSettings(**settings),
    )


def offline_params(store: EpisodeStore, n_updates: int = 2) -> OfflineTrainerParams:
    return OfflineTrainerParams(
        buffer=to_buffer(store),
        batch_size=16,
        max_epochs=1,
        epoch_num_steps=n_updates,
        show_progress=False,
        verbose=False,
    )


def accuracy(store: EpisodeStore, seed: int = 0) -> float:
    layout = TrajectoryLayout.fit(store, horizon=8)
    windows = WindowBuffer(store, 8, 1, None, seed=0)
    return order_accuracy(windows, layout, torch.ones(layout.dim), seed)


def test_ways_can_be_ordered_and_circles_cannot() -> None:
    assert accuracy(make_store("walk")) > 0.9
    assert 0.4 < accuracy(make_store("circle")) < 0.6


def test_pairs_of_equal_observations_do_not_count() -> None:
    """Steps of a walk that rests at nine of ten time steps are ordered as well as those of the walk."""
    walk = make_store("walk")
    rests = [
        Episode(np.repeat(walk.episode(i).obs[::10], 10, 0)[:121], np.zeros((120, 1)), *np.zeros((3, 120)))
        for i in range(walk.n_episodes)
    ]
    assert accuracy(EpisodeStore.from_episodes(rests)) > 0.9
    still = [Episode(np.ones((31, 2)), np.zeros((30, 1)), *np.zeros((3, 30))) for _ in range(4)]
    assert accuracy(EpisodeStore.from_episodes(still)) == 0.5


def test_a_seed_gives_one_number_and_leaves_the_global_generator() -> None:
    store = make_store("circle")
    torch.manual_seed(3)
    first = accuracy(store, seed=1)
    assert torch.initial_seed() == 3
    drawn = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(torch.rand(1), drawn)
    assert accuracy(store, seed=1) == first != accuracy(store, seed=2)


def test_one_demonstration_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least two episodes.*Received 1"):
        accuracy(make_store("walk", n=1))


@pytest.mark.parametrize(("kind", "n", "uses"), [("walk", 8, True), ("circle", 8, False), ("walk", 1, False)])
def test_the_progress_loss_is_used_where_demonstrations_progress(kind: str, n: int, uses: bool) -> None:
    store = make_store(kind, n)
    irl = make_irl(store)
    windows = irl.process_buffer(to_buffer(store))
    assert (irl._update_with_batch(windows.sample(8)[0]).progress_loss > 0) == uses


def test_a_given_weight_is_kept() -> None:
    store = make_store("circle")
    irl = make_irl(store, progress_weight=1.0)
    windows = irl.process_buffer(to_buffer(store))
    assert irl._update_with_batch(windows.sample(8)[0]).progress_loss > 0


def with_goals(goals: np.ndarray) -> EpisodeStore:
    """Walks with a goal of each episode as a third entry of the observation."""
    walks = make_store("walk")
    column = np.repeat(goals, walks.lengths + 1)[:, None].astype(np.float32)
    return replace(walks, obs=np.concatenate([walks.obs, column], 1))


def test_goals_are_constant_in_an_episode_and_differ_between_episodes() -> None:
    store = with_goals(np.arange(8.0))
    assert goal_entries(store).tolist() == [2]
    moving = replace(store, obs=store.obs + np.float32(0.1) * np.arange(len(store.obs))[:, None] % 2)
    assert goal_entries(moving).tolist() == []
    assert goal_entries(with_goals(np.ones(8))).tolist() == []  # one goal of all episodes


@pytest.mark.parametrize(
    ("reference", "is_used"),
    [(None, True), ("guided", True), ("prior_data", False), ("guided_from_data", False)],
)
def test_goals_of_episodes_need_negatives_that_share_them(reference, is_used) -> None:
    store = with_goals(np.arange(8.0))
    irl = make_irl(store, obs_dim=3, reference=reference)
    irl.process_buffer(to_buffer(store))
    assert (irl._way_losses is not None) == is_used


@pytest.mark.parametrize(
    ("ends", "chosen", "other"), [(False, "guided", "prior_data"), (True, "prior_data", "guided")]
)
def test_goals_of_episodes_make_guided_samples_the_negatives_without_terminations(
    ends, chosen, other
) -> None:
    store = with_goals(np.arange(8.0))
    last = store.step_starts + store.lengths - 1
    store.terminated[last] = ends
    trained = {}
    for reference in (None, "guided", "prior_data"):
        irl = make_irl(store, 3, reference, absorbing=ends, progress_weight=0.0)
        irl.run_training(offline_params(store))
        trained[reference] = torch.cat([weight.flatten() for weight in irl.online.parameters()])
    assert torch.equal(trained[None], trained[chosen])
    assert not torch.equal(trained[None], trained[other])
