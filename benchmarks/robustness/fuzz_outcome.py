"""Classification of a call with hostile arguments.

`Outcome`     kind of outcome, with a description of a fault
`run_call`    call a function and classify the result or the error
`FAULTS`      kinds of outcome that are faults
"""

import re
import signal
import traceback
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

__all__ = ["FAULTS", "Outcome", "run_call"]

FAULTS = ("raw error", "unnamed refusal", "wrong value accepted", "wrong result", "hangs")
SECONDS = 20
"""Time on the processor after which a call counts as hanging."""


class Outcome(NamedTuple):
    """Outcome of a call."""

    kind: str
    """ "accepted", "refused", or one of `FAULTS`."""
    detail: str = ""
    """Description of a fault."""


class _Timeout(BaseException):
    pass


def run_call(function: Callable[[], Any], names: Collection[str], refused: bool) -> Outcome:
    """Call `function` and classify the outcome.

    Args:
        function: the call.
        names: names of the arguments, one of which an error must mention.
        refused: True if the arguments contain a value that no function may accept.
    """
    try:
        with _time_limit(), warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            result = function()
            fault = _find_fault(result)
    except _Timeout:
        return Outcome("hangs", f"more than {SECONDS} s")
    except (ValueError, TypeError, OSError, ImportError) as error:
        message = str(error)
        if any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", message) for name in names):
            return Outcome("refused")
        return Outcome("unnamed refusal", _describe(error))
    except Exception as error:
        return Outcome("raw error", _describe(error))
    if fault:
        return Outcome("wrong result", fault)
    return Outcome("wrong value accepted", "") if refused else Outcome("accepted")


@contextmanager
def _time_limit() -> Iterator[None]:
    def stop(number: int, frame: Any) -> None:
        raise _Timeout

    previous = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)  # of the processor, so that other load does not count
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, signal.SIG_IGN)  # drops a signal that is on its way, which would kill
        signal.signal(signal.SIGPROF, previous)


def _describe(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(str(error).split())[:120]
    return f"{type(error).__name__} at {frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}: {text}"


def _find_fault(result: Any, depth: int = 0) -> str:
    """Return a description of NaN, infinity or an empty array in a result, or ""."""
    if isinstance(result, torch.Tensor):
        result = result.detach().cpu().numpy() if result.dtype != torch.bfloat16 else np.zeros(1)
    if isinstance(result, float | np.floating) and not np.isfinite(result):
        return f"{result} in the result"
    if isinstance(result, np.ndarray):
        if not result.size:
            return "an empty array in the result"
        if result.dtype.kind in "fc" and not np.isfinite(result).all():
            return "NaN or infinity in an array of the result"
        return ""
    if depth > 3:
        return ""
    parts: list[Any] = []
    if is_dataclass(result) and not isinstance(result, type):
        parts = [getattr(result, field.name) for field in fields(result)]
    elif isinstance(result, Mapping):
        parts = list(result.values())
    elif isinstance(result, tuple | list):
        parts = list(result)
    elif isinstance(result, torch.nn.Module):
        parts = [*result.parameters()]
    return next((fault for part in parts if (fault := _find_fault(part, depth + 1))), "")
