"""Training of a `TerminalValue` by temporal differences.

`fit_terminal_value`  training on episodes with the rewards of any reward function
`NStepTargets`        discounted sums of the next rewards, and the states that follow them
`discounted_returns`  discounted sums of all rewards until an episode's end
`possible_returns`    bounds of these sums
"""

import copy
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm import tqdm

from rlpriors import checkpoint
from rlpriors.agents.diffusion.terminal_value import TerminalValue, TerminalValueSettings
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.device import resolve_device
from rlpriors.networks.base import check_at_least
from rlpriors.types import RewardFn

__all__ = ["NStepTargets", "discounted_returns", "fit_terminal_value", "possible_returns"]


class NStepTargets(NamedTuple):
    """Parts of the target of each step: rewards + bootstrap * V(observation `later`)."""

    first: Int[Tensor, " steps"]
    """Index of the observation before the step."""
    rewards: Float[Tensor, " steps"]
    """Discounted sum of the next rewards, fewer than n at the end of an episode."""
    later: Int[Tensor, " steps"]
    """Index of the observation after the last of these rewards."""
    bootstrap: Float[Tensor, " steps"]
    """Discount of that observation's value; 0 after a termination."""

    @classmethod
    def of(
        cls, data: EpisodeStore, discount: float, n_steps: int, device: torch.device | str = "cpu"
    ) -> "NStepTargets":
        """Compute the targets of all steps of the data."""
        steps = np.arange(data.n_steps)
        end = (data.step_starts + data.lengths)[data.episode_of]
        rewards, count = np.zeros(data.n_steps), np.minimum(n_steps, end - steps)
        for k in range(int(count.max())):
            at = np.minimum(steps + k, end - 1)
            rewards += np.where(steps + k < end, discount**k * data.rew[at], 0.0)
        bootstrap = np.where(data.terminated[steps + count - 1], 0.0, discount**count)
        first = data.obs_index(steps)
        arrays = (first, rewards.astype(np.float32), first + count, bootstrap.astype(np.float32))
        return cls(*(torch.from_numpy(array).to(device) for array in arrays))


def discounted_returns(data: EpisodeStore, discount: float) -> Float[np.ndarray, " steps"]:
    """Return the discounted sum of the rewards from each step to the end of its episode."""
    returns = data.rew.astype(np.float64)
    for time in range(int(data.lengths.max()) - 2, -1, -1):
        at = data.step_starts[data.lengths > time + 1] + time
        returns[at] += discount * returns[at + 1]
    return returns


def possible_returns(data: EpisodeStore, discount: float) -> tuple[float, float]:
    """Return the least and the largest discounted sum of rewards like those of the data."""
    low, high = float(data.rew.min()), float(data.rew.max())
    if data.terminated.any():
        low, high = min(low, 0.0), max(high, 0.0)
    return low / (1 - discount), high / (1 - discount)


def fit_terminal_value(
    data: EpisodeStore,
    reward: RewardFn | None = None,
    *,
    discount: float = 0.99,
    n_steps: int = 10,
    expectile: float = 0.9,
    updates: int = 3000,
    batch_size: int = 256,
    lr: float = 1e-3,
    target_rate: float = 0.01,
    hidden: tuple[int, ...] = (128, 128),
    seed: int = 0,
    device: str | torch.device = "auto",
    progress: bool = True,
) -> TerminalValue:
    """Train a `TerminalValue` on episodes by temporal differences.

    The target of a step is the discounted sum of the next rewards, at most `n_steps`, plus the discounted
    value of the state that follows them.  After a termination that value is 0.  At a time limit it is the
    value of the last observation.  A target network, the moving average of the weights, computes it.
    Targets are clipped to the sums that the data's smallest and largest rewards allow.

    The loss is the expectile regression of implicit Q-learning (Kostrikov et al. 2021, arXiv 2110.06169,
    eq. 4 and 5), applied to returns of `n_steps` instead of a Q function.  0.5 gives the value of the policy
    that collected the data.  Larger expectiles follow the best continuations in the data, as a planner does.
    They also follow luck, so an environment with random transitions needs a smaller one.  The default 0.9
    suits data of mixed quality from an almost deterministic environment.

    The training is deterministic in `seed` and leaves torch's global random state unchanged.

    Args:
        data: episodes of the environment.
        reward: reward in raw units, applied to all transitions; None for the rewards of `data`.
        discount: factor of the reward of the next environment step, in (0, 1).
        n_steps: largest number of rewards before the value of a later state replaces them, at least 1.
        expectile: expectile of the regression, in (0, 1); 0.5 is the mean.
        updates: number of gradient updates.
        batch_size: number of steps in each update.
        lr: learning rate of Adam, annealed to 0 along a cosine.
        target_rate: fraction by which the target network follows the weights at each update, in (0, 1].
        hidden: width of each hidden layer.
        seed: random seed of the weights and batches.
        device: device of the training and of the result.
        progress: progress bar on the terminal.

    Raises:
        ValueError: an argument is out of its bounds, or `reward` does not fit the data.

    Example:
        >>> from rlpriors.data.episodes import Episode
        >>> end = np.arange(9) == 8
        >>> walk = Episode(np.arange(10.0)[:, None], np.ones((9, 1)), end * 1.0, end, end & False)
        >>> value = fit_terminal_value(
        ...     EpisodeStore.from_episodes([walk]), discount=0.5, updates=300, lr=1e-2, device="cpu",
        ...     progress=False)
        >>> [round(v, 1) for v in value(torch.tensor([[8.0], [7.0]])).tolist()]
        [1.0, 0.5]
    """
    check_at_least(1, n_steps=n_steps, updates=updates, batch_size=batch_size)
    if not 0 < expectile < 1:
        raise ValueError(f"`expectile` must be in (0, 1). Received {expectile}.")
    if not lr > 0:
        raise ValueError(f"`lr` must be positive. Received {lr}.")
    if not 0 < target_rate <= 1:
        raise ValueError(f"`target_rate` must be in (0, 1]. Received {target_rate}.")
    obs = data.obs.reshape(len(data.obs), -1)
    settings = TerminalValueSettings(obs.shape[1], discount, hidden)
    data = data if reward is None else data.relabel(reward)
    to = resolve_device(device)
    bounds = possible_returns(data, discount)
    targets = NStepTargets.of(data, discount, n_steps, to)
    normalizers = Normalizer.gaussian(obs), Normalizer.gaussian(discounted_returns(data, discount)[:, None])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        value = TerminalValue(settings, *normalizers, data.obs_layout).to(to)
    target = copy.deepcopy(value).requires_grad_(False)
    rows = torch.as_tensor(obs, dtype=torch.float32, device=to)
    optimizer = torch.optim.Adam(value.net.parameters(), lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    rng = np.random.default_rng(seed)
    for _ in tqdm(range(updates), desc="terminal value", unit="update", disable=not progress, leave=False):
        steps = torch.from_numpy(rng.integers(data.n_steps, size=batch_size)).to(to)
        with torch.no_grad():
            later = targets.bootstrap[steps] * target(rows[targets.later[steps]])
            returns = (targets.rewards[steps] + later).clamp(*bounds)
            wanted = value.returns(returns[:, None])
        error = wanted - value.normalized(rows[targets.first[steps]])
        loss = (torch.where(error > 0, expectile, 1 - expectile) * error.square()).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            for slow, fast in zip(target.parameters(), value.parameters(), strict=True):
                slow.lerp_(fast, target_rate)
    checkpoint.check_finite(value)
    return value.eval().requires_grad_(False)
