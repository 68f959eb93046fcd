"""Training state of algorithms, and wrapper algorithms that can be resumed.

`ResumableWrapper`   mixin of wrapper algorithms that loads its state and steps the wrapped schedules
`training_state`     training state of an algorithm as plain data
`restore_training`   inverse of `training_state`
`module_state`       weights, optimizers and schedules of an algorithm
`restoring`          context that checks a state and reports a mismatch as a `CheckpointError`
`restore_modules`    inverse of `module_state`
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import torch
from tianshou.algorithm.algorithm_base import Algorithm
from tianshou.utils import RunningMeanStd
from torch import nn
from torch.nn.modules.module import _IncompatibleKeys

from rlpriors.agents.resume_inputs import check_inputs
from rlpriors.checkpoint import CheckpointError

__all__ = [
    "ResumableWrapper",
    "module_state",
    "restore_modules",
    "restore_training",
    "restoring",
    "training_state",
]

OPTIMIZERS = "_optimizers"
COUNTERS = ("_cnt", "_iter", "_last")  # `_last`: the statistics reported until the next delayed update


class ResumableWrapper(Algorithm[Any, Any]):
    """Mixin that makes a Tianshou wrapper algorithm resumable; it stands before the wrapper's class.

    Tianshou's wrapper algorithms cannot load their own `state_dict`, because the wrapped optimizers'
    states have a key that belongs to no module.  They also never step the wrapped learning-rate
    schedules.
    """

    def share_schedules(self, wrapped: Algorithm[Any, Any]) -> None:
        """Step the wrapped algorithm's learning-rate schedules together with this algorithm."""
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
        """Return the `training_state` of this algorithm and the wrapped one."""
        return {**training_state(self), "inputs": self.resume_inputs()}

    def resume_inputs(self) -> dict[str, Any]:
        """Return the data and rewards that a resumed training must share, as plain data."""
        return {}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Restore a `resume_state`.

        Raises:
            CheckpointError: the state is of another algorithm, of other data or another reward, or of
                networks of other sizes.
        """
        if state.get("algorithm") == _name(self):
            check_inputs(state.get("inputs"), self.resume_inputs())
        restore_training(self, state)


def training_state(algorithm: Algorithm[Any, Any]) -> dict[str, Any]:
    """Return weights, averages, optimizers, schedules and counters: tensors and numbers only.

    Tianshou's `state_dict` leaves out the optimizer of an automatic temperature (SAC), the counters
    that time delayed updates (TD3, DQN) and running returns (PPO).  This state contains them.  It does
    not contain the replay buffer or random generators: most policies draw from torch's global
    generator, buffers and exploration from numpy's.

    Example:
        >>> from rlpriors.agents.resumable import training_state
        >>> training_state.__name__
        'training_state'
    """
    state = {
        "algorithm": _name(algorithm),
        **module_state(algorithm),
        "rest": {prefix: _rest(inner) for prefix, inner in _algorithms(algorithm)},
    }
    return cast(dict[str, Any], _plain(state))


def restore_training(algorithm: Algorithm[Any, Any], state: Mapping[str, Any]) -> None:
    """Restore a `training_state`.

    Raises:
        CheckpointError: the state is of another algorithm or of networks of other sizes.
    """
    with restoring(_name(algorithm), state):
        restore_modules(algorithm, state)
        for prefix, inner in _algorithms(algorithm):
            _restore_rest(inner, state["rest"][prefix])


def module_state(algorithm: Algorithm[Any, Any]) -> dict[str, Any]:
    """Return the algorithm's `state_dict` (`modules`) and the states of its schedules (`schedules`)."""
    return {
        "modules": cast(Any, algorithm).state_dict(),  # without annotations in Tianshou
        "schedules": [scheduler.state_dict() for scheduler in algorithm.lr_schedulers],
    }


def restore_modules(algorithm: Algorithm[Any, Any], state: Mapping[str, Any]) -> None:
    """Restore a `module_state`; run it inside `restoring`."""
    # A shallow copy: Tianshou's load_state_dict removes entries from its argument.
    algorithm.load_state_dict(dict(state["modules"]))
    for scheduler, saved in zip(algorithm.lr_schedulers, state["schedules"], strict=True):
        scheduler.load_state_dict(dict(saved))


@contextmanager
def restoring(name: str, state: Mapping[str, Any]) -> Iterator[None]:
    """Check that `state` is of the algorithm `name`, and report errors inside as a `CheckpointError`.

    Raises:
        CheckpointError: the state is of another algorithm, or loading it failed.
    """
    if state.get("algorithm") != name:
        raise CheckpointError(
            f"The state to resume from is of {state.get('algorithm')!r}, not of {name!r}. Start without "
            "resuming, or give that algorithm's state."
        )
    try:
        yield
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(f"The state to resume from does not fit {name}: {error}") from error


def _plain(tree: Any) -> Any:
    """Replace numpy's numbers, which Tianshou's schedules put into optimizers and safe files cannot hold."""
    if isinstance(tree, Mapping):
        return {name: _plain(leaf) for name, leaf in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(_plain(leaf) for leaf in tree)
    return tree.item() if isinstance(tree, np.generic) else tree


def _algorithms(algorithm: Algorithm[Any, Any]) -> Iterator[tuple[str, Algorithm[Any, Any]]]:
    """Iterate over the algorithm and those inside it, each with the prefix of its state's keys."""
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
