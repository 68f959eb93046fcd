"""What algorithms around another Tianshou algorithm need.

`ResumableWrapper`   loads its own state, steps the wrapped schedules, resumes
`training_state`     all that decides how an algorithm goes on, as plain data
`restore_training`   its reverse
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np
import torch
from tianshou.algorithm.algorithm_base import Algorithm
from tianshou.utils import RunningMeanStd
from torch import nn
from torch.nn.modules.module import _IncompatibleKeys

from rlpriors.checkpoint import CheckpointError

__all__ = ["ResumableWrapper", "restore_training", "training_state"]

OPTIMIZERS = "_optimizers"
COUNTERS = ("_cnt", "_iter", "_last")  # also what is reported until the next delayed update


class ResumableWrapper(Algorithm[Any, Any]):
    """Mixed into a Tianshou wrapper algorithm, before its class.

    Tianshou's own cannot load what their `state_dict` gives, since the wrapped optimizers' states
    stand in it under a name that no module has, and never step the wrapped learning-rate schedules.
    """

    def share_schedules(self, wrapped: Algorithm[Any, Any]) -> None:
        """Step the wrapped algorithm's schedules with one's own."""
        self.lr_schedulers = wrapped.lr_schedulers

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> _IncompatibleKeys:
        state = dict(state_dict)
        for prefix, algorithm in _algorithms(self):
            for optim, saved in zip(algorithm._optimizers, state.pop(prefix + OPTIMIZERS), strict=True):
                optim.load_state_dict(saved)
        return cast(_IncompatibleKeys, nn.Module.load_state_dict(self, state, strict=strict, assign=assign))

    def resume_state(self) -> dict[str, Any]:
        """`training_state` of this algorithm and the one inside."""
        return training_state(self)

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from a `resume_state`.

        Raises:
            CheckpointError: the state is another algorithm's, or of networks of other sizes.
        """
        restore_training(self, state)


def training_state(algorithm: Algorithm[Any, Any]) -> dict[str, Any]:
    """Weights, averages, optimizers, schedules and counts: tensors and numbers only.

    Tianshou's `state_dict` leaves out the optimizer of an automatic temperature (SAC), the counts
    that time delayed updates (TD3, DQN) and running returns (PPO); they are here.  The buffer and
    the sources of randomness are not: most policies draw from torch's global generator, buffers
    and exploration from numpy's.

    Example:
        >>> from rlpriors.agents.online.resumable import training_state
        >>> training_state.__name__
        'training_state'
    """
    state = {
        "algorithm": _name(algorithm),
        "modules": cast(Any, algorithm).state_dict(),  # without annotations in Tianshou
        "schedules": [scheduler.state_dict() for scheduler in algorithm.lr_schedulers],
        "rest": {prefix: _rest(inner) for prefix, inner in _algorithms(algorithm)},
    }
    return cast(dict[str, Any], _plain(state))


def restore_training(algorithm: Algorithm[Any, Any], state: Mapping[str, Any]) -> None:
    """Go on from a `training_state`.

    Raises:
        CheckpointError: the state is another algorithm's, or of networks of other sizes.
    """
    if state.get("algorithm") != _name(algorithm):
        raise CheckpointError(
            f"The state to resume from is of {state.get('algorithm')!r}, not of {_name(algorithm)!r}. "
            "Start without resuming, or give that algorithm's state."
        )
    try:
        # A shallow copy: Tianshou's load_state_dict takes entries out of what it is given.
        algorithm.load_state_dict(dict(state["modules"]))
        for scheduler, saved in zip(algorithm.lr_schedulers, state["schedules"], strict=True):
            scheduler.load_state_dict(dict(saved))
        for prefix, inner in _algorithms(algorithm):
            _restore_rest(inner, state["rest"][prefix])
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(f"The state to resume from does not fit {_name(algorithm)}: {error}") from error


def _plain(tree: Any) -> Any:
    """Without numpy's numbers, which Tianshou's schedules leave in optimizers and no safe file can hold."""
    if isinstance(tree, Mapping):
        return {name: _plain(leaf) for name, leaf in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(_plain(leaf) for leaf in tree)
    return tree.item() if isinstance(tree, np.generic) else tree


def _algorithms(algorithm: Algorithm[Any, Any]) -> Iterator[tuple[str, Algorithm[Any, Any]]]:
    """The algorithm and those inside it, with the prefix of each one's entries in the state."""
    for name, module in algorithm.named_modules():
        if isinstance(module, Algorithm):
            yield f"{name}." if name else "", module


def _name(algorithm: Algorithm[Any, Any]) -> str:
    return " around ".join(type(inner).__name__ for _, inner in _algorithms(algorithm))


def _rest(algorithm: Algorithm[Any, Any]) -> dict[str, Any]:
    rest: dict[str, Any] = {name: getattr(algorithm, name) for name in COUNTERS if hasattr(algorithm, name)}
    optim = _alpha_optimizer(algorithm)
    if optim is not None:
        rest["alpha"] = optim.state_dict()
    returns = getattr(algorithm, "ret_rms", None)
    if isinstance(returns, RunningMeanStd):
        rest["returns"] = [float(returns.mean), float(returns.var), float(returns.count)]
    return rest


def _restore_rest(algorithm: Algorithm[Any, Any], rest: Mapping[str, Any]) -> None:
    for name in COUNTERS:
        if name in rest:
            setattr(algorithm, name, rest[name])
    optim = _alpha_optimizer(algorithm)
    if optim is not None:
        optim.load_state_dict(rest["alpha"])
    if "returns" in rest:
        returns = cast(Any, algorithm).ret_rms
        returns.mean, returns.var, returns.count = rest["returns"]


def _alpha_optimizer(algorithm: Algorithm[Any, Any]) -> torch.optim.Optimizer | None:
    optim = getattr(getattr(algorithm, "alpha", None), "_optim", None)
    return optim if isinstance(optim, torch.optim.Optimizer) else None
