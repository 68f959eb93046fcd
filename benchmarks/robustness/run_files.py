"""Content of a run's folder, to compare two runs.

`read_run`     content by file name, without times, logs and checkpoints
`differences`  names of the files that differ
"""

import json
from pathlib import Path
from typing import Any

__all__ = ["differences", "read_run"]

TIMES = ("seconds", "windows_per_second")
CARD_TIMES = (*(f"| {name} |".encode() for name in TIMES), b"<!-- rlpriors card")
LOGS = ("csv", "tensorboard")


def read_run(folder: Path) -> dict[str, Any]:
    """Return the content of each file below `folder`: bytes, or JSON without times.

    Left out are the logs of TensorBoard and csv, which hold the time of each event and a file for each start,
    checkpoints, whose content the results depend on, and the times in model cards with the cards' hashes.
    """
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_dir() or set(name.parts) & set(LOGS) or path.suffix == ".pt":
            continue
        content = path.read_bytes()
        found[name.as_posix()] = _without_times(json.loads(content)) if path.suffix == ".json" else content
        if path.suffix == ".md":
            lines = content.splitlines()
            found[name.as_posix()] = [line for line in lines if not line.startswith(CARD_TIMES)]
    return found


def differences(run: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Return the sorted names of files that only one run has, or whose content differs."""
    return sorted(name for name in run.keys() | other.keys() if run.get(name) != other.get(name))


def _without_times(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _without_times(value) for key, value in content.items() if key not in TIMES}
    return [_without_times(entry) for entry in content] if isinstance(content, list) else content
