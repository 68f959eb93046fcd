"""Inputs of a run that its settings name only: files and folders whose content may change.

`check_run_inputs`  fingerprints of data and networks, written by a new run and compared by a resumed one
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlpriors.checkpoint import CheckpointError
from rlpriors.training.run_folder import write_json

__all__ = ["check_run_inputs"]

INPUTS = "inputs.json"


def check_run_inputs(run: Path, inputs: Mapping[str, Any]) -> None:
    """Write fingerprints to the run's folder, or compare them with those of an earlier start.

    Inputs that the file does not name, as in runs of earlier versions, are added to it.

    Raises:
        CheckpointError: an input has changed, or the file is damaged.

    Example:
        >>> from tempfile import mkdtemp
        >>> run = Path(mkdtemp())
        >>> check_run_inputs(run, {"frames": "00ff"})
        >>> check_run_inputs(run, {"frames": "00ff", "encoder": "11ee"})
        >>> json.loads((run / "inputs.json").read_text())
        {'frames': '00ff', 'encoder': '11ee'}
    """
    path = run / INPUTS
    try:
        saved = json.loads(path.read_text()) if path.exists() else {}
        changed = sorted(name for name, value in saved.items() if inputs.get(name, value) != value)
    except (ValueError, AttributeError) as error:
        raise CheckpointError(f"{path} is damaged ({error}). Delete {run} and start again.") from error
    if changed:
        changes = ", ".join(f"{name} {saved[name]!r} (now {inputs[name]!r})" for name in changed)
        raise CheckpointError(
            f"{run} was started with {changes}: the content has changed since. Restore it, or start "
            "a new run without --resume."
        )
    if set(inputs) - set(saved):
        write_json(path, {**saved, **inputs})
