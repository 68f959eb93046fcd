"""What the offline algorithms here share: windows from a buffer, seeding, stopping and going on."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, TypeVar, cast, runtime_checkable

import numpy as np
import torch
from tianshou.algorithm.algorithm_base import OfflineAlgorithm, Policy
from tianshou.data import Batch, ReplayBuffer
from tianshou.data.buffer.buffer_base import TBuffer
from torch import Tensor

from rlpriors.checkpoint import CheckpointError
from rlpriors.data.buffers import from_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.types import Window

_log = logging.getLogger(__name__)

__all__ = ["WindowAlgorithm", "WindowBuffer", "WindowPolicy"]

AnyPolicy = TypeVar("AnyPolicy", bound=Policy)


@runtime_checkable
class WindowPolicy(Protocol):
    """What a policy must have to be learned from windows, besides being one of Tianshou's."""

    obs_keys: Sequence[str] | None
    """Leaves of a dictionary observation that it reads."""
    device: torch.device
    """Where its weights are."""

    def check_data(self, data: EpisodeStore) -> None:
        """Raise a ValueError unless it can learn from this data."""


class WindowBuffer(ReplayBuffer):
    """A buffer that samples windows of a store instead of single transitions.

    What is drawn depends on `seed` and `draws` alone, so a resumed run sees the batches that an
    uninterrupted one would have seen.

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
    ) -> None:
        super().__init__(size=1)
        self.store, self.horizon, self.stride, self.seed = store, horizon, stride, seed
        self.starts = store.window_starts(horizon, stride, max_start=max_start, pad=pad)
        self.draws = 0
        short = store.n_episodes - len(np.unique(store.episode_of[self.starts]))
        if short:
            _log.warning(
                "%d of %d episodes are shorter than a window of %d steps and are not used. Take a shorter "
                "horizon or stride to learn from them too.",
                short,
                store.n_episodes,
                horizon * stride,
            )

    def __len__(self) -> int:
        return len(self.starts)

    # Any, as Tianshou's protocol of a batch asks for single transitions.
    def sample(self, batch_size: int | None) -> tuple[Any, np.ndarray]:
        """Windows drawn evenly with replacement; all of them, in order, for `None` or 0."""
        rng = np.random.default_rng((self.seed, self.draws))
        self.draws += 1
        starts = self.starts[rng.integers(len(self.starts), size=batch_size)] if batch_size else self.starts
        window = self.store.windows(starts, self.horizon, self.stride)
        return Batch(window._asdict()), starts


class WindowAlgorithm(OfflineAlgorithm[AnyPolicy]):
    """An offline algorithm that learns from windows and resumes bit-equal.

    Give it any Tianshou buffer through `OfflineTrainerParams`; the windows are cut as `window_size`
    and `pad` say.  All randomness of an update comes from `seed` and the number of the update.

    Args:
        policy: the policy that the algorithm improves, a `WindowPolicy`.
        max_start: use only windows that start in the first steps of an episode; None for all.
        seed: source of batches and noise.
    """

    pad: ClassVar[bool] = False
    """Whether windows may reach beyond their episode's end, where their mask is False."""
    updates: Tensor

    def __init__(self, *, policy: AnyPolicy, max_start: int | None = None, seed: int = 0) -> None:
        super().__init__(policy=policy)
        self.max_start, self.seed = max_start, seed
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    @property
    def window_size(self) -> tuple[int, int]:
        """Frames in a window and environment steps in a frame; by default those of `policy.frames`."""
        frames = cast(Any, self.policy).frames
        return frames.horizon, frames.stride

    @property
    def _learner(self) -> WindowPolicy:
        return cast(WindowPolicy, self.policy)

    def process_buffer(self, buffer: TBuffer) -> TBuffer:
        """Cut the buffer into episodes and index their windows, once before training.

        Raises:
            ValueError: observations or actions are not of the policy's size, hold NaN, or no
                episode is as long as a window.
        """
        store = self._store(buffer)
        self._learner.check_data(store)
        windows = WindowBuffer(store, *self.window_size, self.max_start, self.seed, self.pad)
        windows.draws = int(self.updates)
        return cast(TBuffer, windows)

    def _store(self, buffer: ReplayBuffer) -> EpisodeStore:
        if isinstance(buffer, WindowBuffer):
            return buffer.store
        # Dictionary observations, or vectors of what was already selected from such.
        keys = self._learner.obs_keys if len(buffer) and isinstance(buffer.obs, Batch) else None
        return from_buffer(buffer, keys)

    def window(self, batch: Any) -> Window:
        """The batch's windows on the policy's device, in raw units."""
        device = self._learner.device
        return Window(batch.obs.to(device), batch.act.to(device), batch.mask.to(device))

    def generator(self) -> torch.Generator:
        """The source of noise of the current update."""
        # One stream an update, from a hash of both numbers: nothing has to be saved to resume.
        (seed,) = np.random.SeedSequence((self.seed, int(self.updates))).generate_state(1, np.uint64)
        return torch.Generator(self._learner.device).manual_seed(int(seed >> 1))

    def resume_state(self) -> dict[str, Any]:
        """All that decides how training goes on: weights, averages, optimizers, schedules, counts."""
        return {
            "algorithm": type(self).__name__,
            "modules": cast(Any, self).state_dict(),  # without annotations in Tianshou
            "schedules": [scheduler.state_dict() for scheduler in self.lr_schedulers],
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from a `resume_state`.

        Raises:
            CheckpointError: the state is another algorithm's, or of networks of other sizes.
        """
        if state.get("algorithm") != type(self).__name__:
            raise CheckpointError(
                f"The state to resume from is of {state.get('algorithm')!r}, not of {type(self).__name__}. "
                "Start without resuming, or give that algorithm's state."
            )
        try:
            # A shallow copy: Tianshou's load_state_dict takes entries out of what it is given.
            self.load_state_dict(dict(state["modules"]))
            for scheduler, saved in zip(self.lr_schedulers, state["schedules"], strict=True):
                scheduler.load_state_dict(dict(saved))
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"The state to resume from does not fit {type(self).__name__}: {error}"
            ) from error
