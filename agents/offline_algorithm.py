"""Base of the offline algorithms: windows sampled from a buffer, seeded updates, resuming.

`WindowAlgorithm`  offline algorithm that learns from trajectory windows and resumes bit-equal
`WindowBuffer`     replay buffer that samples windows of an `EpisodeStore`
`WindowPolicy`     protocol of policies that learn from windows
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, TypeVar, cast, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from tianshou.algorithm.algorithm_base import OfflineAlgorithm, Policy
from tianshou.data import Batch, ReplayBuffer
from tianshou.data.buffer.buffer_base import TBuffer
from torch import Tensor

from rlpriors.agents.resumable import module_state, restore_modules, restoring
from rlpriors.agents.resume_inputs import check_inputs, plain_settings
from rlpriors.agents.seeding import update_seed
from rlpriors.agents.validation import check_buffer
from rlpriors.data.buffers import from_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.fingerprints import store_fingerprint
from rlpriors.types import Window

_log = logging.getLogger(__name__)

__all__ = ["AnyPolicy", "WindowAlgorithm", "WindowBuffer", "WindowPolicy"]

AnyPolicy = TypeVar("AnyPolicy", bound=Policy)


@runtime_checkable
class WindowPolicy(Protocol):
    """Members that a Tianshou policy needs in order to learn from windows."""

    obs_keys: Sequence[str] | None
    """Leaves of a dictionary observation that the policy reads."""
    device: torch.device
    """Device of the policy's weights."""

    def check_data(self, data: EpisodeStore) -> None:
        """Raise a ValueError unless the policy can learn from this data."""


class WindowBuffer(ReplayBuffer):
    """Replay buffer that samples windows of a store instead of single transitions.

    A sample depends on `seed` and `draws` only, so a resumed run draws the same batches as an
    uninterrupted run.

    Example:
        >>> from rlpriors.data.episodes import Episode
        >>> walk = Episode(np.arange(9.0)[:, None], np.ones((8, 1)), *np.zeros((3, 8)))
        >>> store = EpisodeStore.from_episodes([walk])
        >>> buffer = WindowBuffer(store, horizon=4, stride=1, max_start=None, seed=0)
        >>> windows, starts = buffer.sample(64)
        >>> windows.obs.shape, len(buffer)
        (torch.Size([64, 4, 1]), 5)
    """

    def __init__(
        self,
        store: EpisodeStore,
        horizon: int,
        stride: int,
        max_start: int | None,
        seed: int,
        pad: bool = False,
        absorbing: bool = False,
    ) -> None:
        super().__init__(size=1)
        self.store, self.horizon, self.stride, self.seed = store, horizon, stride, seed
        self.starts = store.window_starts(horizon, stride, max_start=max_start, pad=pad, absorbing=absorbing)
        self.draws = 0
        self._cumulative: np.ndarray | None = None
        n_unused = store.n_episodes - len(np.unique(store.episode_of[self.starts]))
        if n_unused:
            _log.warning(
                "%d of %d episodes are shorter than a window of %d steps and are not used. Take a shorter "
                "horizon or stride to learn from them too.",
                n_unused,
                store.n_episodes,
                horizon * stride,
            )

    def __len__(self) -> int:
        return len(self.starts)

    def set_probabilities(self, probabilities: Float[np.ndarray, " n"]) -> None:
        """Set the probability of each window in `sample`, in proportion to `probabilities`.

        Raises:
            ValueError: there is not one number for each window, or the numbers are negative or all 0.
        """
        total = probabilities.sum()
        if probabilities.shape != (len(self),) or not (probabilities >= 0).all() or not 0 < total < np.inf:
            raise ValueError(
                f"`probabilities` must be {len(self)} numbers of at least 0, not all 0. Received shape "
                f"{probabilities.shape} with minimum {probabilities.min()} and sum {total}."
            )
        self._cumulative = probabilities.cumsum() / total

    # Any, because Tianshou's batch protocol requires single transitions.
    def sample(self, batch_size: int | None) -> tuple[Any, np.ndarray]:
        """Sample windows with replacement; return all of them, in order, for `None` or 0.

        All windows are equally probable, unless `set_probabilities` was called.
        """
        rng = np.random.default_rng((self.seed, self.draws))
        self.draws += 1
        starts = self.starts[self.sample_rows(batch_size, rng)] if batch_size else self.starts
        window = self.store.windows(starts, self.horizon, self.stride)
        return Batch(window._asdict()), starts

    def sample_rows(self, n: int, rng: np.random.Generator) -> Int[np.ndarray, " n"]:
        """Sample indices of `starts` with replacement."""
        if self._cumulative is None:
            return rng.integers(len(self.starts), size=n)
        rows = np.searchsorted(self._cumulative, rng.random(n), side="right")
        return np.minimum(rows, len(self.starts) - 1)  # the last sum may round to less than 1


class WindowAlgorithm(OfflineAlgorithm[AnyPolicy]):
    """Offline algorithm that learns from trajectory windows and resumes bit-equal.

    It takes any Tianshou buffer through `OfflineTrainerParams` and cuts it into windows according to
    `window_size` and `pad`.  All randomness of an update comes from `seed` and the number of the update.

    Args:
        policy: policy to improve, a `WindowPolicy`.
        max_start: number of first steps of an episode in which a window may start; None for all.
        seed: random seed of batches and noise.
    """

    pad: ClassVar[bool] = False
    """True if windows may extend beyond the end of an episode, where their mask is False."""
    updates: Tensor

    def __init__(self, *, policy: AnyPolicy, max_start: int | None = None, seed: int = 0) -> None:
        super().__init__(policy=policy)
        self.max_start, self.seed = max_start, seed
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        self._data: str | None = None  # fingerprint of the training data
        self._resumed = False

    @property
    def window_size(self) -> tuple[int, int]:
        """Horizon and stride of the windows; by default those of `policy.layout`."""
        layout = cast(Any, self.policy).layout
        return layout.horizon, layout.stride

    @property
    def absorbing(self) -> bool:
        """True if windows continue in the terminal state, as those of `policy.layout` do."""
        return bool(getattr(getattr(self.policy, "layout", None), "absorbing", False))

    @property
    def _window_policy(self) -> WindowPolicy:
        return cast(WindowPolicy, self.policy)

    def process_buffer(self, buffer: TBuffer) -> TBuffer:
        """Cut the buffer into episodes and index their windows, once before training.

        Raises:
            TypeError: `buffer` is a store or something else; `to_buffer` converts a store.
            ValueError: observations or actions do not have the policy's sizes or contain NaN, or no
                episode is as long as a window.
            CheckpointError: the training was resumed, and was started with other data.
        """
        store = self._store(buffer)
        self._window_policy.check_data(store)
        self._set_data(store_fingerprint(store))
        windows = WindowBuffer(store, *self.window_size, self.max_start, self.seed, self.pad, self.absorbing)
        windows.draws = int(self.updates)
        return cast(TBuffer, windows)

    def _store(self, buffer: ReplayBuffer) -> EpisodeStore:
        check_buffer(buffer)
        if isinstance(buffer, WindowBuffer):
            return buffer.store
        # Dictionary observations, or vectors whose leaves were selected earlier.
        keys = self._window_policy.obs_keys if len(buffer) and isinstance(buffer.obs, Batch) else None
        return from_buffer(buffer, keys)

    def window(self, batch: Any) -> Window:
        """Return the batch's windows on the policy's device, in raw units."""
        device = self._window_policy.device
        return Window(*(batch[name].to(device) for name in Window._fields))

    def generator(self) -> torch.Generator:
        """Return the random generator of the current update."""
        return torch.Generator(self._window_policy.device).manual_seed(
            update_seed(self.seed, int(self.updates))
        )

    def resume_state(self) -> dict[str, Any]:
        """Return the training state: weights, averages, optimizers, schedules and counters."""
        inputs = self.resume_inputs() | ({} if self._data is None else {"data": self._data})
        return {"algorithm": type(self).__name__, "inputs": inputs, **module_state(self)}

    def resume_inputs(self) -> dict[str, Any]:
        """Return the settings that a resumed training must share, as plain data."""
        settings = plain_settings(getattr(self, "settings", None))
        return {"seed": self.seed, "max_start": self.max_start, **settings}

    def check_resumed_data(self, buffer: ReplayBuffer) -> None:
        """Check that a resumed training continues on the data that it was started with.

        Raises:
            CheckpointError: the data are others.
        """
        if self._resumed:
            self._set_data(store_fingerprint(self._store(buffer)))

    def _set_data(self, fingerprint: str) -> None:
        if self._resumed:
            check_inputs({"data": self._data or fingerprint}, {"data": fingerprint})
        self._data, self._resumed = fingerprint, False

    def resume(self, state: Mapping[str, Any]) -> None:
        """Restore a `resume_state`.

        Raises:
            CheckpointError: the state is of another algorithm, of other settings or of networks of other
                sizes.
        """
        if state.get("algorithm") == type(self).__name__:
            check_inputs(state.get("inputs"), self.resume_inputs())
        with restoring(type(self).__name__, state):
            restore_modules(self, state)
        self._data, self._resumed = dict(state.get("inputs", {})).get("data"), True

    def _optimize(self, loss: Tensor) -> None:
        """Take one gradient step on `loss` and count the update."""
        cast(Any, self).optim.step(loss)
        self.updates += 1
