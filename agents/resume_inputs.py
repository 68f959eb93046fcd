"""Inputs of a training that a resumed run must share with the run before.

`check_inputs`        comparison of the inputs of a saved state with the current ones
`plain_settings`      settings as plain data, for a state
`reward_fingerprint`  fingerprint of a reward that stays fixed during a training
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from hashlib import sha256
from types import CodeType
from typing import Any

from torch import nn

from rlpriors.checkpoint import CheckpointError
from rlpriors.rewards.normalized import NormalizedReward

__all__ = ["check_inputs", "plain_settings", "reward_fingerprint"]


def check_inputs(saved: Any, now: Mapping[str, Any]) -> None:
    """Check that the inputs of a saved state are the current ones.

    Inputs that the state does not name, as in files of earlier versions, are not compared.

    Raises:
        CheckpointError: an input differs.
    """
    saved = saved if isinstance(saved, Mapping) else {}
    changed = [
        f"{name} {saved[name]!r} (now {value!r})"
        for name, value in now.items()
        if name in saved and saved[name] != value
    ]
    if changed:
        raise CheckpointError(
            f"The state to resume from was trained with {', '.join(changed)}. Resume with the data, the "
            "reward and the settings of that run, or start without resuming."
        )


def plain_settings(settings: Any, prefix: str = "") -> dict[str, Any]:
    """Return the fields of a dataclass as plain data for a state, each name after `prefix`.

    Example:
        >>> from rlpriors.agents import AlgorithmSettings
        >>> plain_settings(AlgorithmSettings("dqn", hidden=(8,)), "dqn.")["dqn.hidden"]
        [8]
    """
    if not is_dataclass(settings) or isinstance(settings, type):
        return {}
    fields = json.loads(json.dumps(asdict(settings), default=str))
    return {prefix + name: value for name, value in fields.items()}


def reward_fingerprint(reward: object) -> str:
    """Return a fingerprint of a reward: its class, settings and weights, or the code of a function.

    The statistics of a `NormalizedReward` that is `updating` are left out: they change during a training.

    Example:
        >>> same = [reward_fingerprint(lambda obs, act, obs_next, end: obs[:, 0]) for _ in range(2)]
        >>> other = reward_fingerprint(lambda obs, act, obs_next, end: obs[:, 1])
        >>> same[0] == same[1], same[0] == other
        (True, False)
    """
    digest = sha256()
    parts: list[Any]
    if isinstance(reward, nn.Module):
        parts = [type(reward).__name__, plain_settings(getattr(reward, "settings", None))]
        modules = dict(reward.named_modules())
        for name, tensor in reward.state_dict().items():
            owner = modules.get(name.rpartition(".")[0])
            if not (isinstance(owner, NormalizedReward) and owner.updating):
                digest.update(name.encode() + tensor.detach().cpu().double().numpy().tobytes())
    else:
        code = getattr(reward, "__code__", None)
        name = getattr(reward, "__qualname__", type(reward).__qualname__)
        parts = [name, None if code is None else _code(code)]
    digest.update(json.dumps(parts, default=str).encode())
    return digest.hexdigest()[:32]


def _code(code: CodeType) -> list[Any]:
    """Return the instructions, names and constants of a function."""
    constants = [_code(part) if isinstance(part, CodeType) else repr(part) for part in code.co_consts]
    return [code.co_code.hex(), list(code.co_names), constants]
