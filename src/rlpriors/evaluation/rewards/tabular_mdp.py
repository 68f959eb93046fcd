"""Tabular Markov decision processes: exact policies, returns and occupancies.

`TabularMDP`         discounted process in tables, with optimal and soft-optimal policies
`reward_table`       reward function evaluated on all transitions of a tabular environment
`normalized_return`  return of a policy between the uniform and the optimal one
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rlpriors.arguments import check_arguments, check_array_fields
from rlpriors.evaluation.rewards.value_iteration import soft_policy, value_iteration
from rlpriors.types import RewardFn

__all__ = ["TabularMDP", "normalized_return", "reward_table"]


@dataclass(frozen=True, eq=False)
class TabularMDP:
    """Discounted Markov decision process in tables, without termination.

    Example:
        >>> forward = np.array([[0, 1, 0], [0, 0, 1], [0, 0, 1]])[:, None]  # one action: to the right
        >>> stay = np.eye(3)[:, None]
        >>> transition = np.concatenate([forward, stay], 1)
        >>> reward = np.zeros((3, 2, 3))
        >>> reward[..., 2] = 1.0  # paid for each arrival in the last state
        >>> mdp = TabularMDP(transition, reward, start=np.array([1.0, 0, 0]), gamma=0.9)
        >>> policy = mdp.optimal_policy()
        >>> round(mdp.policy_return(policy), 3)  # 0 + .9 + .81 + ...
        9.0
        >>> mdp.occupancy(policy).sum(1).round(2)
        array([0.1 , 0.09, 0.81])

    Raises:
        ValueError: shapes disagree, a row is no probability distribution, a reward is not finite or
            `gamma` is out of bounds.
    """

    transition: Float[np.ndarray, "states actions states"]
    """Probability of each next state."""
    reward: Float[np.ndarray, "states actions states"]
    """Reward of each transition, impossible ones included."""
    start: Float[np.ndarray, " states"]
    """Probability of each initial state."""
    gamma: float
    """Discount, in [0, 1)."""

    def __post_init__(self) -> None:
        check_array_fields(self)
        states = len(self.start)
        if (
            self.transition.shape[::2] != (states, states)
            or self.reward.shape != self.transition.shape
            or not self.transition.size
        ):
            raise ValueError(
                "`transition` and `reward` must be [states, actions, states] and `start` [states]. Received "
                f"{self.transition.shape}, {self.reward.shape} and {self.start.shape}."
            )
        for name, probabilities in (("transition", self.transition), ("start", self.start)):
            if not (probabilities >= 0).all() or not np.allclose(probabilities.sum(-1), 1):
                sums = probabilities.sum(-1)
                raise ValueError(
                    f"`{name}` must hold probabilities that add up to 1 over its last axis. Received a "
                    f"minimum of {probabilities.min():g} and sums from {sums.min():g} to {sums.max():g}."
                )
        if not np.isfinite(self.reward).all():
            raise ValueError(
                f"`reward` must be finite. Received {int((~np.isfinite(self.reward)).sum())} that are not."
            )
        if not 0 <= self.gamma < 1:
            raise ValueError(f"`gamma` must be in [0, 1), for returns to be finite. Received {self.gamma}.")

    def with_reward(self, reward: Float[np.ndarray, "states actions states"]) -> "TabularMDP":
        """Return the same process with another reward table."""
        return replace(self, reward=reward)

    @property
    def expected_reward(self) -> Float[np.ndarray, "states actions"]:
        """Mean reward of each state and action."""
        return np.asarray((self.transition * self.reward).sum(-1))

    def value_iteration(self, temperature: float = 0.0) -> Float[np.ndarray, "states actions"]:
        """Compute the optimal Q, with an entropy bonus at a `temperature` above 0."""
        return value_iteration(
            self.transition, self.expected_reward, gamma=self.gamma, temperature=temperature
        )

    def optimal_policy(self, temperature: float = 0.0) -> Float[np.ndarray, "states actions"]:
        """Return action probabilities; at temperature 0 all optimal actions share evenly."""
        return soft_policy(self.value_iteration(temperature), temperature)

    def uniform_policy(self) -> Float[np.ndarray, "states actions"]:
        """Return the policy that draws all actions with equal probability."""
        return np.full(self.transition.shape[:2], 1 / self.transition.shape[1])

    def state_values(self, policy: Float[np.ndarray, "states actions"]) -> Float[np.ndarray, " states"]:
        """Compute the expected discounted return from each state by solving the Bellman equation."""
        transition = self._under(policy)
        rewards = (policy * self.expected_reward).sum(-1)
        return np.asarray(np.linalg.solve(np.eye(len(transition)) - self.gamma * transition, rewards))

    def policy_return(self, policy: Float[np.ndarray, "states actions"]) -> float:
        """Compute the expected discounted return from the start."""
        return float(self.start @ self.state_values(policy))

    def occupancy(self, policy: Float[np.ndarray, "states actions"]) -> Float[np.ndarray, "states actions"]:
        """Compute `(1 - gamma) sum_t gamma**t P(s_t = s, a_t = a)`, which adds up to 1."""
        transition = self._under(policy)
        visits = np.linalg.solve(
            np.eye(len(transition)) - self.gamma * transition.T, (1 - self.gamma) * self.start
        )
        return np.asarray(visits[:, None] * policy)

    def state_probabilities(
        self, policy: Float[np.ndarray, "states actions"], n_steps: int
    ) -> Float[np.ndarray, " states"]:
        """Compute the state distribution of a policy after `n_steps` steps from the start."""
        if n_steps < 0:
            raise ValueError(f"`n_steps` must be at least 0. Received {n_steps}.")
        return np.asarray(self.start @ np.linalg.matrix_power(self._under(policy), n_steps))

    def _under(self, policy: Float[np.ndarray, "states actions"]) -> Float[np.ndarray, "states states"]:
        """Return the state transition probabilities under `policy`."""
        if policy.shape != self.transition.shape[:2]:
            raise ValueError(
                f"`policy` must have the shape [states, actions], {self.transition.shape[:2]}. "
                f"Received {policy.shape}."
            )
        if (policy < 0).any() or not np.allclose(policy.sum(-1), 1):
            raise ValueError(
                "`policy` must hold probabilities that add up to 1 for each state. "
                f"Received sums from {policy.sum(-1).min():g} to {policy.sum(-1).max():g}."
            )
        return np.asarray(np.einsum("sa,san->sn", policy, self.transition))


@check_arguments
def normalized_return(mdp: TabularMDP, policy: Float[np.ndarray, "states actions"]) -> float:
    """Compute the return of `policy` in `mdp`: 1 for the optimal policy, 0 for the uniform one.

    To evaluate a learned reward, pass `mdp.with_reward(table).optimal_policy()`, also for changed
    environments.

    Raises:
        ValueError: all policies have the same return, or `policy` is no probability distribution.
    """
    floor = mdp.policy_return(mdp.uniform_policy())
    span = mdp.policy_return(mdp.optimal_policy()) - floor
    if span <= 1e-9 * max(1.0, abs(floor)):
        raise ValueError(
            "`mdp` must have a reward that separates policies. Received one under which the optimal "
            f"and the uniform policy both return {floor:g}."
        )
    return (mdp.policy_return(policy) - floor) / span


@check_arguments
def reward_table(
    reward: RewardFn,
    obs: Float[np.ndarray, "states obs"],
    act: Float[np.ndarray, "actions act"],
    *,
    batch_size: int = 65536,
) -> Float[np.ndarray, "states actions states"]:
    """Evaluate `reward` on every (s, a, s'), impossible transitions included, never terminated.

    `obs` holds the observation of each state and `act` the data of each action; for a grid world
    these are `world.xy` and `world.action_data`.  The evaluation runs on the reward's device.

    Raises:
        ValueError: `reward` does not return one finite number for each row.
    """
    if batch_size < 1:
        raise ValueError(f"`batch_size` must be at least 1. Received {batch_size}.")
    for name, rows in (("obs", obs), ("act", act)):
        if not len(rows):
            raise ValueError(f"`{name}` must hold at least one row. Received shape {rows.shape}.")
    states, actions = torch.as_tensor(obs), torch.as_tensor(act)
    shape = (len(states), len(actions), len(states))
    device = torch.device(getattr(reward, "device", "cpu"))
    parts: list[Tensor] = []
    with torch.no_grad():
        for part in torch.arange(int(np.prod(shape))).split(batch_size):
            s, a, following = torch.unravel_index(part, shape)
            never = torch.zeros(len(part), dtype=torch.bool)
            scores = reward(*(x.to(device) for x in (states[s], actions[a], states[following], never)))
            if not isinstance(scores, Tensor) or scores.shape != part.shape:
                received = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
                raise ValueError(
                    f"`reward` must return one number for each transition, shape ({len(part)},). "
                    f"Received {received}; return a tensor."
                )
            parts.append(scores.double().cpu())
    table: np.ndarray = torch.cat(parts).reshape(shape).numpy()
    if not np.isfinite(table).all():
        raise ValueError(
            f"`reward` must return finite numbers. Received {int((~np.isfinite(table)).sum())} of "
            f"{table.size} that are not; check the model and its inputs."
        )
    return table
