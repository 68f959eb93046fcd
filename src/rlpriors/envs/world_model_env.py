"""Vector environment over a learned world.

`WorldModelEnv`  Gymnasium vector environment whose steps a `WorldModel` computes
`Rollout`        names of the ways to use the members of the model
"""

from typing import Any, Literal, TypeAlias, get_args

import gymnasium as gym
import numpy as np
import torch
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from jaxtyping import Float

from rlpriors.agents.validation import check_type
from rlpriors.agents.world_model.model import WorldModel
from rlpriors.arguments import as_number_array
from rlpriors.settings import fit_value
from rlpriors.spaces.actions import check_actions
from rlpriors.wrappers.reward_adapter import RewardAdapter, RewardSource

__all__ = ["Rollout", "WorldModelEnv"]

Rollout: TypeAlias = Literal["mean", "member", "sample"]
Step: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]


class WorldModelEnv(VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """Vector environment whose steps are predictions of a learned world, all rows in one batch.

    Episodes start at observations of `init_states`, drawn at random.  They are truncated after `max_steps`
    steps, and terminate where the model's classifier has a probability above 1/2.  The reward is any function
    of
    transitions: the true one of the task, or a learned one.  It receives the predicted observations.

    `info["disagreement"]` [num_envs] is that of the members at each step: large numbers mark states and
    actions unlike the data, where returns are not to be trusted.

    All three autoreset modes of Gymnasium are available.  `options["reset_mask"]` selects rows of a partial
    reset, and `options["states"]` [num_envs, obs] sets the first observations.

    Args:
        model: learned world; its device computes the steps.
        init_states: first observations of episodes [n, obs], for example those of a data set,
            `store.obs[store.step_starts + np.arange(store.n_episodes)]`.
        reward: folder of a saved reward, a reward model, or a function of (obs, act, obs_next, terminated).
        max_steps: number of steps after which an episode is truncated.
        num_envs: number of parallel episodes.
        rollout: next observation: "mean" is the mean of all members; "member" follows one member, drawn for
            each episode; "sample" draws from the Gaussian of this member.
        autoreset_mode: start of the next episode: in the next step, in the same step, or by `reset` only.

    Raises:
        TypeError: `model` is no WorldModel.
        ValueError: the initial states have another size or are not finite, an argument is out of bounds, or
            the reward does not fit the spaces; in a step, an action lies outside the action space.

    Example:
        >>> from rlpriors.agents import WorldModelSettings
        >>> spaces = gym.spaces.Box(-9, 9, (3,)), gym.spaces.Box(-2, 2, (1,))
        >>> model = WorldModel(WorldModelSettings(obs_dim=3, act_dim=1), *spaces)
        >>> def effort(obs, act, obs_next, terminated):
        ...     return -act[:, 0].square()
        >>> envs = WorldModelEnv(model, np.zeros((1, 3)), effort, max_steps=5, num_envs=2)
        >>> _ = envs.reset(seed=0)
        >>> obs, rewards, _, _, info = envs.step(np.ones((2, 1), np.float32))
        >>> obs.shape, rewards, info["disagreement"].shape
        ((2, 3), array([-1., -1.]), (2,))
    """

    def __init__(
        self,
        model: WorldModel,
        init_states: Float[np.ndarray, "n obs"],
        reward: RewardSource,
        max_steps: int,
        *,
        num_envs: int = 16,
        rollout: Rollout = "mean",
        autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP,
    ) -> None:
        check_type("model", model, WorldModel, "train one by WorldModelTraining, or load one")
        self.max_steps = fit_value("max_steps", max_steps, int)
        self.num_envs = fit_value("num_envs", num_envs, int)
        for name in ("max_steps", "num_envs"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")
        if rollout not in get_args(Rollout):
            raise ValueError(f"`rollout` must be one of {get_args(Rollout)}. Received {rollout!r}.")
        if rollout == "sample" and model.settings.head != "gaussian":
            raise ValueError(
                '`rollout` "sample" needs a model with the head "gaussian". Received one with "mse"; use '
                '"member".'
            )
        self.model, self.rollout = model.eval(), rollout
        self.single_observation_space = gym.spaces.Box(
            model.observation_space.low.reshape(-1),
            model.observation_space.high.reshape(-1),
            dtype=np.float32,
        )
        self.single_action_space = model.action_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {"render_modes": [], "autoreset_mode": self.autoreset_mode}
        self.init_states = self._states("init_states", init_states)
        spaces = self.single_observation_space, self.single_action_space
        self.reward_adapter = RewardAdapter(reward, *spaces, device="auto")
        self._obs: np.ndarray | None = None
        self._steps = np.zeros(self.num_envs, np.int64)
        self._member = np.zeros(self.num_envs, np.int64)
        self._done = np.zeros(self.num_envs, np.bool_)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start episodes in all rows, or in those of `options["reset_mask"]`."""
        super().reset(seed=seed)
        options = options or {}
        rows = np.broadcast_to(np.asarray(options.get("reset_mask", True), np.bool_), self.num_envs)
        if self._obs is None:
            if not rows.all():
                raise ResetNeeded(
                    "Reset all rows before a partial reset: the other rows have no observation."
                )
            self._obs = np.zeros((self.num_envs, self.init_states.shape[1]), np.float32)
        self._start(rows, options.get("states"))
        return self._obs.copy(), {}

    def step(self, actions: np.ndarray) -> Step:
        """Step all rows; rows whose episode has ended start the next one in NEXT_STEP mode."""
        if self._obs is None:
            raise ResetNeeded("Call `reset` before `step`.")
        if self.autoreset_mode == AutoresetMode.DISABLED and self._done.any():
            raise ResetNeeded(
                f"Rows {np.flatnonzero(self._done).tolist()} have ended their episodes. Reset them by "
                '`options["reset_mask"]` before the next step.'
            )
        check_actions("actions", np.asarray(actions), self.single_action_space)
        if len(actions) != self.num_envs:
            raise ValueError(f"`actions` must have {self.num_envs} rows. Received {len(actions)}.")
        act = self.reward_adapter.read_actions(actions).reshape(self.num_envs, -1)
        stepped = ~self._done if self.autoreset_mode == AutoresetMode.NEXT_STEP else np.ones_like(self._done)
        before, (obs, end, disagreement) = self._obs, self._predict(act)
        self._steps += stepped
        terminated = end & stepped
        truncated = (self._steps >= self.max_steps) & stepped & ~terminated
        rewards = np.zeros(self.num_envs)
        if stepped.any():
            inputs = (before, self.reward_adapter.read_actions(actions), obs, terminated)
            rewards[stepped] = self.reward_adapter(*(part[stepped] for part in inputs))
        info: dict[str, Any] = {"disagreement": np.where(stepped, disagreement, 0), "_disagreement": stepped}
        self._obs, self._done = obs, terminated | truncated
        if self.autoreset_mode == AutoresetMode.NEXT_STEP:
            self._start(~stepped)
            self._done = terminated | truncated
        elif self.autoreset_mode == AutoresetMode.SAME_STEP and self._done.any():
            ended, final = self._done.copy(), np.full(self.num_envs, None, object)
            for row in np.flatnonzero(ended):
                final[row] = obs[row].copy()
            info |= {"final_obs": final, "_final_obs": ended}
            self._start(ended)
        return self._obs.copy(), rewards, terminated, truncated, info

    def _predict(self, act: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return next observations, terminations and the disagreement of the members."""
        assert self._obs is not None
        device = self.model.device
        inputs = torch.as_tensor(self._obs, device=device), torch.as_tensor(act, device=device)
        with torch.no_grad():
            prediction = self.model.predict(*inputs)
            after = prediction.mean.mean(0)
            if self.rollout != "mean":
                chosen = (
                    torch.as_tensor(self._member, device=device),
                    torch.arange(self.num_envs, device=device),
                )
                after = prediction.mean[chosen]
                if self.rollout == "sample":
                    noise = self.np_random.standard_normal(after.shape, np.float32)
                    after = after + prediction.std[chosen] * torch.as_tensor(noise, device=device)
            after = after.clamp(self.model.low, self.model.high)
            end = self.model.end_probability(*inputs, after) > 0.5
        return after.cpu().numpy(), end.cpu().numpy(), prediction.disagreement.double().cpu().numpy()

    def _start(self, rows: np.ndarray, states: Any = None) -> None:
        """Start episodes in these rows, at given or drawn observations."""
        assert self._obs is not None
        n = int(rows.sum())
        if states is None:
            first = self.init_states[self.np_random.integers(len(self.init_states), size=n)]
        else:
            given = self._states('options["states"]', states)
            if len(given) != self.num_envs:
                raise ValueError(
                    f'`options["states"]` must have a row for each of {self.num_envs} episodes. Received '
                    f"{len(given)}."
                )
            first = given[rows]
        self._obs = self._obs.copy()
        self._obs[rows], self._steps[rows], self._done[rows] = first, 0, False
        self._member[rows] = self.np_random.integers(self.model.settings.n_members, size=n)

    def _states(self, name: str, states: Any) -> Float[np.ndarray, "n obs"]:
        """Return checked observations within the bounds of the space."""
        rows, dim = as_number_array(name, states).astype(np.float32), self.model.settings.obs_dim
        if rows.ndim != 2 or not len(rows) or rows.shape[1] != dim or not np.isfinite(rows).all():
            raise ValueError(
                f"`{name}` must be finite observations of {dim} entries, shape [n, {dim}] with n at least 1. "
                f"Received shape {rows.shape}."
            )
        low, high = self.model.observation_space.low, self.model.observation_space.high
        return np.clip(rows, low.reshape(-1), high.reshape(-1))
