"""Trajectories in a `GridWorld` from tabular policies.

`goal_rollouts`   sequences of random goals with rests: the training data of a prior
`demonstrations`  episodes of the soft-optimal policy of the true reward
`rollouts`        episodes of a table of action probabilities

Random numbers are drawn episode by episode: fewer episodes of the same seed are a prefix of more.
"""

import numpy as np
from jaxtyping import Float, Int

from rlpriors.data.episodes import EpisodeStore
from rlpriors.envs.gridworld.gridworld import ACTIONS, GridWorld
from rlpriors.evaluation.rewards.value_iteration import soft_policy, value_iteration

__all__ = ["demonstrations", "goal_rollouts", "rollouts"]


def demonstrations(
    env: GridWorld, n_episodes: int, *, seed: int, gamma: float = 0.95, temperature: float = 0.1
) -> EpisodeStore:
    """Return episodes of the policy that is optimal for the true reward plus entropy.

    The probability of an action is proportional to `exp(Q / temperature)`, with Q from soft value iteration:
    the expert of maximum-entropy IRL (Ziebart et al. 2008).

    Raises:
        ValueError: an argument is out of bounds.
    """
    expected = np.einsum("san,n->sa", env.transition, env.cell_rewards)
    q = value_iteration(env.transition, expected, gamma=gamma, temperature=temperature)
    return rollouts(env, soft_policy(q, temperature), n_episodes, seed=seed)


def rollouts(
    env: GridWorld, policy: Float[np.ndarray, "states actions"], n_episodes: int, *, seed: int
) -> EpisodeStore:
    """Return episodes of `env.max_episode_steps` steps of a policy, given as a table of action probabilities.

    Raises:
        ValueError: an argument is out of bounds, or the rows of `policy` are not probabilities.
    """
    shape = (env.n_states, len(ACTIONS))
    if policy.shape != shape or (policy < 0).any() or not np.allclose(policy.sum(-1), 1):
        raise ValueError(
            f"`policy` must have rows of probabilities that sum to 1, shape {shape}. "
            f"Received shape {policy.shape}; `soft_policy` computes a policy from Q values."
        )
    goals = np.zeros((n_episodes, env.max_episode_steps), np.int64)
    return _simulate(env, policy[None], goals, _uniform_draws(env, n_episodes, seed))


def goal_rollouts(
    env: GridWorld,
    n_episodes: int,
    *,
    seed: int,
    rest: tuple[int, int] = (3, 12),
    gamma: float = 0.95,
    temperature: float = 0.1,
) -> EpisodeStore:
    """Return episodes that go to random cells and rest there, independent of the true reward.

    On the route to a goal, and for `rest` (minimum, maximum) steps after reaching it, the policy is
    soft-optimal for a reward of 1 in that cell.  Then another goal is drawn uniformly from the reachable
    cells.  The rewards in the data are the true rewards.

    Raises:
        ValueError: an argument is out of bounds.
    """
    if not 0 <= rest[0] <= rest[1]:
        raise ValueError(f"`rest` must be (minimum, maximum), 0 <= minimum <= maximum. Received {rest}.")
    # a reward of 1 for arriving in cell g: [goals, states, actions]
    expected = np.moveaxis(env.transition, -1, 0)
    q = value_iteration(env.transition, expected, gamma=gamma, temperature=temperature, tolerance=1e-6)
    return _simulate(env, soft_policy(q, temperature), None, _uniform_draws(env, n_episodes, seed), rest)


def _uniform_draws(env: GridWorld, n_episodes: int, seed: int) -> Float[np.ndarray, "episodes times 5"]:
    """Draw uniform numbers in [0, 1): the start (time 0) or the action, slip, slipped action, goal, rest."""
    if n_episodes < 1 or seed < 0:
        raise ValueError(
            f"`n_episodes` must be at least 1 and `seed` at least 0. Received {n_episodes} and {seed}."
        )
    return np.random.default_rng(seed).random((n_episodes, env.max_episode_steps + 1, 5))


def _simulate(
    env: GridWorld,
    policies: Float[np.ndarray, "goals states actions"],
    goals: Int[np.ndarray, "episodes steps"] | None,
    draws: Float[np.ndarray, "episodes times 5"],
    rest: tuple[int, int] = (0, 0),
) -> EpisodeStore:
    """Return all episodes, stepped in parallel with the policy of each goal; `goals` None draws the goals."""
    n_episodes, n_steps = len(draws), env.max_episode_steps
    cumulative = policies.cumsum(-1)
    reachable = _reachable(env)
    state = np.searchsorted(env.start.cumsum() * (1 - 1e-12), draws[:, 0, 0], side="right")
    states, acts = np.empty((n_episodes, n_steps + 1), np.int64), np.empty((n_episodes, n_steps), np.int64)
    states[:, 0] = state
    goal, left = np.full(n_episodes, -1), np.zeros(n_episodes, np.int64)  # left: steps of rest at the goal
    for time in range(n_steps):
        action_draw, slip_draw, slipped, goal_draw, rest_draw = draws[:, time + 1].T
        if goals is not None:
            goal = goals[:, time]
        else:
            arrived = (goal == state) & (left < 0)
            left[arrived] = rest[0] + (rest_draw[arrived] * (rest[1] - rest[0] + 1)).astype(np.int64)
            for episode in np.flatnonzero((goal < 0) | (left == 0)):
                others = reachable[state[episode]]
                goal[episode], left[episode] = others[int(goal_draw[episode] * len(others))], -1
            left[left > 0] -= 1
        act = (cumulative[goal, state] <= action_draw[:, None]).sum(1).clip(max=len(ACTIONS) - 1)
        moved = np.where(slip_draw < env.slip, (slipped * len(ACTIONS)).astype(np.int64), act)
        state = env.destination[state, moved]
        acts[:, time], states[:, time + 1] = act, state
    truncated = np.zeros((n_episodes, n_steps), np.bool_)
    truncated[:, -1] = True
    return EpisodeStore(
        obs=env.xy[states].reshape(-1, 2),
        act=ACTIONS[acts].reshape(-1, 2) if env.actions == "vector" else acts.reshape(-1),
        rew=env.cell_rewards[states[:, 1:]].reshape(-1),
        terminated=np.zeros(n_episodes * n_steps, np.bool_),
        truncated=truncated.reshape(-1),
        lengths=np.full(n_episodes, n_steps),
    )


def _reachable(env: GridWorld) -> list[list[int]]:
    """Return the goals that can be drawn in each state: all other reachable states, else the state itself."""
    number = {cell: state for state, cell in enumerate(env.maze.free_cells)}
    return [
        [number[other] for other in env.maze.reachable(cell) if other != cell] or [state]
        for cell, state in number.items()
    ]
