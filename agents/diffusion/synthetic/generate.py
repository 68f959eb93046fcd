"""Data sets of synthetic trajectories.

`synthesize`  trajectories of a prior toward a target policy, as an `EpisodeStore`
"""

import numpy as np
import torch
from tqdm import tqdm

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.diffusion.synthetic.policy_guidance import (
    LogProbability,
    PolicyGuidance,
    guided_windows,
)
from rlpriors.agents.validation import check_type
from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.networks.base import check_at_least
from rlpriors.types import RewardFn

__all__ = ["synthesize"]


def synthesize(
    prior: DiffuserPolicy,
    target: LogProbability,
    data: EpisodeStore,
    *,
    n_trajectories: int = 256,
    reward: RewardFn | None = None,
    settings: PolicyGuidance | None = None,
    batch_size: int = 256,
    seed: int = 0,
    progress: bool = True,
) -> EpisodeStore:
    """Return synthetic trajectories that begin in states of the data and follow a target policy.

    Each is an episode of horizon - 1 steps that ends by a truncation.  Mix them with real data, train the
    policy on both, and generate new ones when the policy has changed (arXiv 2404.06356).

    Args:
        prior: planner whose denoiser is the prior, with time steps of one environment step.
        target: log-probability of the target policy; `gaussian_target` makes one of a deterministic policy.
        data: episodes whose states are the first ones.
        n_trajectories: number of trajectories.
        reward: reward of the transitions; None for 0.
        settings: settings of the guidance.
        batch_size: number of trajectories that are sampled at once.
        seed: random seed of states and noise.
        progress: progress bar on the terminal.

    Raises:
        ValueError: the prior has longer time steps, Discrete actions or absorbing windows, the data do not
            fit it, or an argument is out of its bounds.
    """
    check_type("prior", prior, DiffuserPolicy, "train one by `TrajectoryDiffusion`")
    check_at_least(1, n_trajectories=n_trajectories, batch_size=batch_size)
    layout, settings = prior.layout, settings or PolicyGuidance()
    if layout.stride != 1:
        raise ValueError(
            f"`prior` must have a stride of 1: longer time steps are no transitions. Received "
            f"{layout.stride}; train a prior on windows of single steps."
        )
    if layout.absorbing:
        raise ValueError(
            "`prior` must not be absorbing: synthetic trajectories end by truncations. Received "
            "absorbing=True; train a prior without it."
        )
    prior.check_data(data)
    rows = data.obs.reshape(len(data.obs), -1)
    chosen = rows[np.random.default_rng(seed).integers(len(rows), size=n_trajectories)].astype(np.float32)
    generator = torch.Generator(prior.device).manual_seed(seed)
    episodes: list[Episode] = []
    for first in tqdm(range(0, n_trajectories, batch_size), desc="trajectories", disable=not progress):
        start = torch.from_numpy(chosen[first : first + batch_size]).to(prior.device)
        windows = guided_windows(prior, target, start, settings, generator)
        obs, act = (part.cpu().numpy() for part in layout.unpack(windows))
        low, high = getattr(prior.action_space, "low", -np.inf), getattr(prior.action_space, "high", np.inf)
        end = np.arange(layout.horizon - 1) == layout.horizon - 2
        for states, actions in zip(obs, act.clip(low, high), strict=True):
            zeros = np.zeros(len(end))
            episodes.append(Episode(states, actions[:-1], zeros, end & False, end))
    store = EpisodeStore.from_episodes(episodes)
    return store if reward is None else store.relabel(reward)
