"""Negatives of reward learning: the windows that demonstrations are compared with.

`Reference`         one source of negatives and its weight
`ReferenceSource`   values of `Reference.source`
`ReferenceWindows`  windows drawn from several sources in fixed proportions

Maximum entropy learns how demonstrations differ from the negatives, so the choice of negatives decides what a
reward is about.  Against the data of a good learner it pays for the remaining difference only; against
random play it pays for everything that takes skill.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from tianshou.data import ReplayBuffer
from torch import Tensor, nn

from rlpriors.agents.offline_algorithm import WindowBuffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.fingerprints import store_fingerprint
from rlpriors.settings import check_fields

__all__ = ["Reference", "ReferenceLike", "ReferenceSource", "ReferenceWindows", "parse_reference"]

ReferenceSource = Literal["guided", "guided_from_data", "prior_data", "rollouts"]
"""Sources of negatives besides stores and buffers.

- "guided": samples of the prior guided by the current reward, from the start states of demonstrations.
- "guided_from_data": the same from random states of the prior's data.
- "prior_data": windows of the prior's data.
- "rollouts": windows of the agent that learns from the reward (`HybridIRL`).
"""


@dataclass(frozen=True)
class Reference:
    """One source of negatives and its weight.

    Raises:
        ValueError: the weight is not positive, or there is no such source.

    Example:
        >>> Reference("guided", 3.0)
        Reference(source='guided', weight=3.0)
    """

    source: ReferenceSource | EpisodeStore | ReplayBuffer
    """Name of a source, or data: random play, early play or any other store or buffer."""

    weight: float = 1.0
    """Weight of the source, above 0; a batch contains each source in proportion to its weight."""

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.weight > 0:
            raise ValueError(f"`weight` must be above 0. Received {self.weight}; omit the source instead.")


ReferenceLike = (
    Reference
    | ReferenceSource
    | EpisodeStore
    | ReplayBuffer
    | Sequence[Reference | tuple[ReferenceSource | EpisodeStore | ReplayBuffer, float]]
)
"""Reference as an argument: one source, or a sequence of sources with weights."""


def parse_reference(reference: ReferenceLike) -> tuple[Reference, ...]:
    """Return the sources of an argument.

    Raises:
        ValueError: there is no source, or an entry is neither a `Reference` nor a source with a weight.

    Example:
        >>> parse_reference([("guided", 3.0), Reference("prior_data")])
        (Reference(source='guided', weight=3.0), Reference(source='prior_data', weight=1.0))
    """
    if isinstance(reference, Reference):
        return (reference,)
    if isinstance(reference, str | EpisodeStore | ReplayBuffer):
        return (Reference(reference),)
    if not isinstance(reference, Sequence) or not reference:
        raise ValueError(
            "`reference` must be a source, or a sequence of sources with weights, as "
            f'[("guided", 3.0), (random_play, 1.0)]. Received {reference!r}.'
        )
    entries: list[Reference] = []
    for entry in reference:
        if isinstance(entry, Reference):
            entries.append(entry)
        elif isinstance(entry, tuple | list) and len(entry) == 2:
            entries.append(Reference(*entry))
        else:
            raise ValueError(
                "`reference` must contain sources with weights, as (store, 1.0). "
                f"Received {entry!r} in it; write Reference(source, weight)."
            )
    return tuple(entries)


class ReferenceWindows(nn.Module):
    """Windows drawn from several sources in fixed proportions.

    It has no parameters.  A draw depends on the seeds of the windows and on the update's number only, so that
    training resumes bit-equal.

    Args:
        entries: sources with weights.
        windows: function that cuts a store or buffer into windows, given the number of the source.
        pack: function that converts sampled batches to normalized windows.

    Example:
        >>> from rlpriors.data.episodes import Episode
        >>> rest = Episode(np.ones((9, 1)), np.ones((8, 1)), *np.zeros((3, 8)))
        >>> sources = ReferenceWindows(
        ...     [Reference("guided", 1.0), Reference(EpisodeStore.from_episodes([rest]), 3.0)],
        ...     windows=lambda data, number: WindowBuffer(data, 4, 1, None, seed=number),
        ...     pack=lambda batch: batch.obs)
        >>> sources.counts(8)
        (2, 6)
        >>> sources.draw(8, n_updates=0, named=lambda name, n: torch.zeros(n, 4, 1))[:, 0, 0]
        tensor([0., 0., 1., 1., 1., 1., 1., 1.])
    """

    def __init__(
        self,
        entries: Sequence[Reference],
        windows: Callable[[EpisodeStore | ReplayBuffer, int], WindowBuffer],
        pack: Callable[[Any], Tensor],
    ) -> None:
        super().__init__()
        self.entries = tuple(entries)
        self._pack, self._windows = pack, windows
        self.stores = [
            None if isinstance(entry.source, str) else windows(entry.source, number)
            for number, entry in enumerate(self.entries)
        ]

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each source; "data" for a store or buffer."""
        return tuple(entry.source if isinstance(entry.source, str) else "data" for entry in self.entries)

    def set_rollouts(self, store: EpisodeStore) -> None:
        """Set the windows of the source "rollouts"."""
        for number, name in enumerate(self.names):
            if name == "rollouts":
                self.stores[number] = self._windows(store, number)

    def counts(self, n: int) -> tuple[int, ...]:
        """Return the number of windows of each source among `n`: proportions rounded to a sum of `n`."""
        weights = np.array([entry.weight for entry in self.entries])
        ends = np.rint(n * weights.cumsum() / weights.sum()).astype(int)
        return tuple(np.diff(ends, prepend=0).tolist())

    def draw(
        self, n: int, n_updates: int, named: Callable[[str, int], Tensor]
    ) -> Float[Tensor, "n horizon dim"]:
        """Draw `n` normalized windows.

        Args:
            n: number of windows.
            n_updates: number of the update.
            named: function that samples a number of windows of a named source without a store.

        Raises:
            ValueError: rollouts are a source and have not been set.
        """
        parts = []
        for name, windows, count in zip(self.names, self.stores, self.counts(n), strict=True):
            if not count:
                continue
            if windows is not None:
                windows.draws = n_updates
                parts.append(self._pack(windows.sample(count)[0]))
            elif name == "rollouts":
                raise ValueError(
                    '`reference` contains "rollouts", and no agent has given any. Train with `HybridIRL`, or '
                    "call `set_rollouts(store)` first."
                )
            else:
                parts.append(named(name, count))
        return torch.cat(parts)

    def resume_inputs(self) -> list[dict[str, Any]]:
        """Return names, weights and fingerprints of the sources, which a resumed training must share."""
        return [
            {"source": name, "weight": entry.weight}
            | ({"data": store_fingerprint(windows.store)} if name == "data" and windows is not None else {})
            for name, entry, windows in zip(self.names, self.entries, self.stores, strict=True)
        ]
