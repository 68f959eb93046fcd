"""Experience in a `GridWorld`, from policies whose reward is known exactly.

`goal_rollouts`   random goals one after another, with rests: what a prior learns from
`demonstrations`  the soft-optimal policy of the world's true reward
`rollouts`        any table of action chances

Draws are made episode by episode: fewer episodes of the same seed are a prefix of more.
"""

import numpy as np
from jaxtyping import Float, Int

from rlpriors.data.episodes import EpisodeStore
from rlpriors.envs.gridworld.gridworld import ACTIONS, GridWorld
from rlpriors.evaluation.rewards.value_iteration import soft_policy, value_iteration

__all__ = ["demonstrations", "goal_rollouts", "rollouts"]


def demonstrations(
    world: GridWorld, n_episodes: int, *, seed: int, gamma: float = 0.95, temperature: float = 0.1
) -> EpisodeStore:
    """Episodes of the policy that is optimal for the world's own reward plus entropy.

    The chance of an action is proportional to `exp(Q / temperature)`, with Q from soft value
    iteration: the expert that maximum-entropy IRL assumes (Ziebart et al. 2008).

    Raises:
        ValueError: an argument is out of bounds.
    """
    expected = np.einsum("san,n->sa", world.transition, world.cell_rewards)
    q = value_iteration(world.transition, expected, gamma=gamma, temperature=temperature)
    return rollouts(world, soft_policy(q, temperature), n_episodes, seed=seed)


def rollouts(
    world: GridWorld, policy: Float[np.ndarray, "states actions"], n_episodes: int, *, seed: int
) -> EpisodeStore:
    """Episodes of `world.max_episode_steps` steps of a policy given as chances of each action.

    Raises:
        ValueError: an argument is out of bounds, or `policy` holds no chances.
    """
    shape = (world.n_states, len(ACTIONS))
    if policy.shape != shape or (policy < 0).any() or not np.allclose(policy.sum(-1), 1):
        raise ValueError(
            f"`policy` must hold chances that add up to 1 in each row, shape {shape}. "
            f"Received shape {policy.shape}; `soft_policy` makes one of Q values."
        )
    goals = np.zeros((n_episodes, world.max_episode_steps), np.int64)
    return _walk(world, policy[None], goals, _draws(world, n_episodes, seed))


def goal_rollouts(
    world: GridWorld,
    n_episodes: int,
    *,
    seed: int,
    rest: tuple[int, int] = (3, 12),
    gamma: float = 0.95,
    temperature: float = 0.1,
) -> EpisodeStore:
    """Episodes that walk to random cells and rest there, whatever the world's reward.

    On the way to a goal, and for `rest` (fewest, most) steps after reaching it, the policy is
    soft-optimal for a reward of 1 in that cell; then another goal is drawn evenly from the cells
    that a way leads to.  The rewards in the data are the world's.

    Raises:
        ValueError: an argument is out of bounds.
    """
    if not 0 <= rest[0] <= rest[1]:
        raise ValueError(f"`rest` must be (fewest, most), 0 <= fewest <= most. Received {rest}.")
    # arriving in cell g pays 1: [goals, states, actions]
    expected = np.moveaxis(world.transition, -1, 0)
    q = value_iteration(world.transition, expected, gamma=gamma, temperature=temperature, tolerance=1e-6)
    return _walk(world, soft_policy(q, temperature), None, _draws(world, n_episodes, seed), rest)


def _draws(world: GridWorld, n_episodes: int, seed: int) -> Float[np.ndarray, "episodes times 5"]:
    """Even numbers in [0, 1): the start (time 0) or the action, slip, slipped action, goal, rest."""
    if n_episodes < 1 or seed < 0:
        raise ValueError(
            f"`n_episodes` must be at least 1 and `seed` at least 0. Received {n_episodes} and {seed}."
        )
    return np.random.default_rng(seed).random((n_episodes, world.max_episode_steps + 1, 5))


def _walk(
    world: GridWorld,
    policies: Float[np.ndarray, "goals states actions"],
    goals: Int[np.ndarray, "episodes steps"] | None,
    draws: Float[np.ndarray, "episodes times 5"],
    rest: tuple[int, int] = (0, 0),
) -> EpisodeStore:
    """All episodes side by side, each step following the policy of its goal; None draws goals."""
    episodes, steps = len(draws), world.max_episode_steps
    every = np.arange(episodes)
    chances = policies.cumsum(-1)
    ways = _reachable(world)
    state = np.searchsorted(world.start.cumsum() * (1 - 1e-12), draws[:, 0, 0], side="right")
    states, acts = np.empty((episodes, steps + 1), np.int64), np.empty((episodes, steps), np.int64)
    states[:, 0] = state
    goal, left = np.full(episodes, -1), np.zeros(episodes, np.int64)  # left: steps to rest, once there
    for time in range(steps):
        action_draw, slip_draw, slipped, goal_draw, rest_draw = draws[:, time + 1].T
        if goals is not None:
            goal = goals[:, time]
        else:
            arrived = (goal == state) & (left < 0)
            left[arrived] = rest[0] + (rest_draw[arrived] * (rest[1] - rest[0] + 1)).astype(np.int64)
            for episode in np.flatnonzero((goal < 0) | (left == 0)):
                others = ways[state[episode]]
                goal[episode], left[episode] = others[int(goal_draw[episode] * len(others))], -1
            left[left > 0] -= 1
        act = (chances[goal, state] <= action_draw[:, None]).sum(1).clip(max=len(ACTIONS) - 1)
        moved = np.where(slip_draw < world.slip, (slipped * len(ACTIONS)).astype(np.int64), act)
        state = world.destination[state, moved]
        acts[:, time], states[:, time + 1] = act, state
    ends = np.zeros((episodes, steps), np.bool_)
    ends[every, -1] = True
    return EpisodeStore(
        obs=world.xy[states].reshape(-1, 2),
        act=ACTIONS[acts].reshape(-1, 2) if world.actions == "vector" else acts.reshape(-1),
        rew=world.cell_rewards[states[:, 1:]].reshape(-1),
        terminated=np.zeros(episodes * steps, np.bool_),
        truncated=ends.reshape(-1),
        lengths=np.full(episodes, steps),
    )


def _reachable(world: GridWorld) -> list[list[int]]:
    """The goals that may be drawn in each state: all others that a way leads to, else itself."""
    number = {cell: state for state, cell in enumerate(world.maze.free_cells)}
    return [
        [number[other] for other in world.maze.reachable(cell) if other != cell] or [state]
        for cell, state in number.items()
    ]
