"""Gridworld with an exact model, to evaluate rewards, planners and policies.

`GridWorld`   Gymnasium environment on the free cells of a `Maze`, with its transition and reward tables
`ACTIONS`     the five actions as unit vectors
`four_rooms`  map of four rooms, of any odd size
"""

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from jaxtyping import Float, Float32, Int

from rlpriors.envs.maze.maze import WALL, Cell, Maze
from rlpriors.evaluation.rewards.tabular_mdp import TabularMDP

__all__ = ["ACTIONS", "GridWorld", "four_rooms"]

ACTIONS: Float32[np.ndarray, "5 2"] = np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]], np.float32)
"""The five actions: stay, +x (right), -x (left), +y (up), -y (down)."""

THRESHOLD = 0.5  # a vector whose components are all smaller means "stay"


class GridWorld(gym.Env[Any, Any]):
    """Gymnasium environment on the free cells of a maze; walls and the edge of the map block moves.

    Observations are x and y of the cell's center.  States are numbered as `maze.free_cells`.  Episodes never
    terminate, so that they can contain rests, and are truncated after `max_episode_steps`.

    Args:
        maze: a `Maze`, or rows of cells.
        rewards: reward of arriving in a cell or staying there; 0 for all other cells.
        slip: chance that a uniformly random action is executed instead.
        actions: "discrete" or "vector".  A discrete action is a row number of `ACTIONS`.  A vector action is
            a point of [-1, 1]^2: its larger component gives the move (x when both are equal) if its size is
            at least 0.5; otherwise the agent stays.  With vectors, algorithms and planners for continuous
            actions run unchanged; the data contain unit vectors.
        starts: cells in which episodes start, drawn uniformly; None for all free cells.
            `reset(options={"reset_cell": cell})` selects a cell.
        max_episode_steps: number of steps after which an episode is truncated.

    Example:
        >>> env = GridWorld([[0, 0, 0], [0, 1, 0]], rewards={(1, 2): 1.0})
        >>> env.reset(seed=0, options={"reset_cell": (0, 1)})
        (array([0. , 0.5], dtype=float32), {'state': 1})
        >>> env.step(1)
        (array([1. , 0.5], dtype=float32), 0.0, False, False, {'state': 2})
        >>> env.step(4)  # down
        (array([ 1. , -0.5], dtype=float32), 1.0, False, False, {'state': 4})

    Raises:
        ValueError: an argument is out of bounds, or a cell of `rewards` or `starts` is not free.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - as gym.Env declares it

    def __init__(
        self,
        maze: Maze | Sequence[Sequence[int | str]],
        rewards: Mapping[Cell, float] | None = None,
        *,
        slip: float = 0.0,
        actions: str = "discrete",
        starts: Sequence[Cell] | None = None,
        max_episode_steps: int = 50,
    ) -> None:
        self.maze = maze if isinstance(maze, Maze) else Maze(maze)
        self.rewards = dict(rewards or {})
        self.slip, self.actions, self.max_episode_steps = float(slip), actions, int(max_episode_steps)
        self.starts = list(self.maze.free_cells if starts is None else starts)
        if not 0 <= slip <= 1:
            raise ValueError(f"`slip` must be in [0, 1]. Received {slip}.")
        if actions not in ("discrete", "vector"):
            raise ValueError(f'`actions` must be "discrete" or "vector". Received {actions!r}.')
        if max_episode_steps < 1:
            raise ValueError(f"`max_episode_steps` must be at least 1. Received {max_episode_steps}.")
        if not self.starts:
            raise ValueError("`starts` must contain at least one cell. Received none; pass None for all.")
        self._number = {cell: number for number, cell in enumerate(self.maze.free_cells)}
        for name, cells in (("rewards", self.rewards), ("starts", self.starts)):
            for cell in cells:
                if cell not in self._number:
                    raise ValueError(
                        f"`{name}` must contain free cells (row, column). Received {cell}, which is a wall "
                        f"or outside {self.maze}; `Maze.free_cells` lists them."
                    )
        if not np.isfinite(list(self.rewards.values())).all():
            raise ValueError(f"`rewards` must be finite. Received {self.rewards}.")
        self.xy: Float32[np.ndarray, "states 2"] = np.array(
            [self.maze.center_of(cell) for cell in self.maze.free_cells], np.float32
        )
        """The observation of each state."""
        self.cell_rewards: Float[np.ndarray, " states"] = np.array(
            [float(self.rewards.get(cell, 0.0)) for cell in self.maze.free_cells]
        )
        """Reward of arriving in each state."""
        self.destination: Int[np.ndarray, "states actions"] = np.array(
            [
                [
                    self._number.get((row - int(dy), column + int(dx)), self._number[row, column])
                    for dx, dy in ACTIONS.tolist()
                ]
                for row, column in self.maze.free_cells
            ]
        )
        """Next state of each action without slip."""
        half = np.array(self.maze.free.shape[::-1], np.float32) / 2 * np.float32(self.maze.scaling)
        self.observation_space = gym.spaces.Box(-half, half, dtype=np.float32)
        self.action_space: gym.spaces.Space[Any] = (
            gym.spaces.Discrete(len(ACTIONS))
            if actions == "discrete"
            else gym.spaces.Box(-1.0, 1.0, (2,), np.float32)
        )
        self.state = self._number[self.starts[0]]
        self._steps = 0

    def __repr__(self) -> str:
        return f"GridWorld({self.maze!r}, {len(self.rewards)} rewarded, slip={self.slip}, {self.actions})"

    # The environment

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32[np.ndarray, "2"], dict[str, Any]]:
        """Start an episode in a cell of `starts`, or in `options["reset_cell"]`.

        Raises:
            ValueError: `options["reset_cell"]` is not a free cell.
        """
        super().reset(seed=seed)
        cell = (options or {}).get("reset_cell")
        if cell is None:
            cell = self.starts[self.np_random.integers(len(self.starts))]
        self.state, self._steps = self.state_of_cell(cell), 0
        return self.xy[self.state].copy(), {"state": self.state}

    def step(self, action: Any) -> tuple[Float32[np.ndarray, "2"], float, bool, bool, dict[str, Any]]:
        """Execute an action."""
        number = int(self.action_number(np.asarray(action)[None])[0])
        if self.np_random.random() < self.slip:
            number = int(self.np_random.integers(len(ACTIONS)))
        self.state = int(self.destination[self.state, number])
        self._steps += 1
        reward = float(self.cell_rewards[self.state])
        truncated = self._steps >= self.max_episode_steps
        return self.xy[self.state].copy(), reward, False, truncated, {"state": self.state}

    # The model

    @property
    def n_states(self) -> int:
        """Number of free cells."""
        return len(self.xy)

    @property
    def transition(self) -> Float[np.ndarray, "states actions states"]:
        """Probability of each next state, for each state and action."""
        without_slip = np.eye(self.n_states)[self.destination]  # [states, actions, states]
        mean = without_slip.mean(1, keepdims=True)
        probabilities: np.ndarray = (1 - self.slip) * without_slip + self.slip * mean
        return probabilities

    @property
    def reward_table(self) -> Float[np.ndarray, "states actions states"]:
        """True reward of each transition, which depends on its next state only."""
        return np.tile(self.cell_rewards, (self.n_states, len(ACTIONS), 1))

    @property
    def start(self) -> Float[np.ndarray, " states"]:
        """Probability that an episode starts in each state."""
        numbers = [self._number[cell] for cell in self.starts]
        return np.bincount(numbers, minlength=self.n_states) / len(numbers)

    def to_mdp(self, gamma: float) -> TabularMDP:
        """Return the exact tabular decision process with the true reward, without the step limit.

        Raises:
            ValueError: `gamma` is outside [0, 1).

        Example:
            >>> env = GridWorld([[0, 0, 0]], {(0, 2): 1.0}, starts=[(0, 0)])
            >>> mdp = env.to_mdp(gamma=0.9)
            >>> round(mdp.policy_return(mdp.optimal_policy()), 3)  # 0 + .9 + .81 + ...
            9.0
        """
        return TabularMDP(self.transition, self.reward_table, self.start, gamma)

    @property
    def action_data(self) -> Float32[np.ndarray, "actions act"]:
        """Input of a network for each action: rows of unit vectors, or one column of action numbers."""
        return ACTIONS.copy() if self.actions == "vector" else np.arange(5, dtype=np.float32)[:, None]

    def state_of_cell(self, cell: Sequence[int] | Int[np.ndarray, "2"]) -> int:
        """Return the state number of a free cell (row, column).

        Raises:
            ValueError: the cell is a wall or outside the map.
        """
        key = (int(cell[0]), int(cell[1]))
        if key not in self._number:
            raise ValueError(f"`cell` must be a free cell of {self.maze}. Received {key}.")
        return self._number[key]

    def state_of(self, xy: Float[np.ndarray, "points 2"]) -> Int[np.ndarray, " points"]:
        """Return the state whose center is nearest to each point; points in a free cell get its state."""
        offset = xy[:, None].astype(np.float64) - self.xy
        return np.asarray((offset**2).sum(-1).argmin(1))

    def action_number(self, act: np.ndarray) -> Int[np.ndarray, " n"]:
        """Return the row number in `ACTIONS` of each action.

        Raises:
            ValueError: the shape is wrong, or a number is not the number of an action.
        """
        if self.actions == "vector":
            if act.ndim != 2 or act.shape[1] != 2 or not np.isfinite(act).all():
                raise ValueError(
                    f"`act` must be finite vectors, shape [n, 2]. Received shape {act.shape}: {act[:3]}."
                )
            along_y = np.abs(act[:, 1]) > np.abs(act[:, 0])
            value = np.where(along_y, act[:, 1], act[:, 0])
            number = 1 + 2 * along_y + (value < 0)
            return np.where(np.abs(value) >= THRESHOLD, number, 0)
        number = act.reshape(len(act), -1)[:, 0] if act.size == len(act) else np.array([-1])
        if not np.isin(number, np.arange(len(ACTIONS))).all():
            raise ValueError(f"`act` must be numbers in 0..{len(ACTIONS) - 1}. Received {act[:5]}.")
        return number.astype(np.int64)

    def changed(self, **changes: Any) -> "GridWorld":
        """Return a copy with other arguments of the constructor, such as the maze, slip or rewards.

        If `starts` are all free cells, they are all free cells of a new `maze`, too.

        Raises:
            ValueError: see the constructor; for example, a cell of `rewards` is a wall of a new maze.
        """
        starts_everywhere = self.starts == self.maze.free_cells
        settings: dict[str, Any] = {
            "maze": self.maze,
            "rewards": self.rewards,
            "slip": self.slip,
            "actions": self.actions,
            "starts": None if starts_everywhere else self.starts,
            "max_episode_steps": self.max_episode_steps,
        }
        unknown = sorted(set(changes) - set(settings))
        if unknown:
            raise ValueError(f"`changes` must be among {list(settings)}. Received {unknown}.")
        return GridWorld(**(settings | changes))


def four_rooms(size: int = 9) -> list[list[int]]:
    """Return a square map of `size` rows: four rooms, each with doors to its two neighbors.

    The doors are at a quarter and three quarters of each inner wall.  The map has no outer wall, since its
    edge blocks moves.

    Raises:
        ValueError: `size` is even or below 5.
    """
    if size < 5 or size % 2 == 0:
        raise ValueError(f"`size` must be odd and at least 5, for a wall in the middle. Received {size}.")
    middle, door = size // 2, size // 4
    cells = np.zeros((size, size), dtype=int)
    cells[middle] = cells[:, middle] = WALL
    for position in (door, size - 1 - door):
        cells[middle, position] = cells[position, middle] = 0
    rows: list[list[int]] = cells.tolist()
    return rows
