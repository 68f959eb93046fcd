"""Run folders with their settings on disk.

`create_or_resume_run`  the folder of a new run, or of an earlier run with the same settings
`check_settings`        comparison of saved settings with current settings
`BEGUN`                 folders of the runs that this process began or resumed
`write_json`            indented JSON, written atomically
"""

import errno
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rlpriors.storage.atomic import remove_stale, temporary_name, write_text_atomically
from rlpriors.storage.disk import explain_disk_errors

__all__ = ["BEGUN", "check_settings", "create_or_resume_run", "write_json"]

SETTINGS = "settings.json"

BEGUN: list[Path] = []
"""Folders of the runs that this process began or resumed; a command that stops later can be resumed."""


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content` as indented JSON, atomically."""
    write_text_atomically(path, json.dumps(content, indent=2) + "\n")


def create_or_resume_run(folder: Path, settings: Any, *, resume: bool) -> Path:
    """Create the folder of a new run, or with `resume` return the folder of an earlier run.

    A new run never overwrites an earlier one: if `folder` has files, the suffixes "-2", "-3", ... are tried.
    `resume` returns the latest of these folders whose settings equal `settings`, a dataclass.

    Raises:
        FileNotFoundError: there is no earlier run.
        ValueError: all earlier runs have other settings; the message lists those of the latest.
    """
    earlier = [path for path in _names(folder) if (path / SETTINGS).exists()]
    if not resume:
        BEGUN.append(_create(folder, json.dumps(_plain(settings), indent=2) + "\n"))
        return BEGUN[-1]
    if not earlier:
        raise FileNotFoundError(f"There is no run to resume in {folder}. Start it without --resume.")
    saved = {path: json.loads((path / SETTINGS).read_text()) for path in reversed(earlier)}
    run = next((path for path in saved if not _changed(saved[path], settings)), earlier[-1])
    check_settings(run, saved[run], settings)
    BEGUN.append(run)
    return run


def _create(folder: Path, text: str) -> Path:
    """Create the folder of a new run with its settings; a kill leaves no folder without them."""
    temporary = folder.with_name(temporary_name(folder.name))
    with explain_disk_errors(folder):
        remove_stale(folder)
        temporary.mkdir(parents=True)
        try:
            (temporary / SETTINGS).write_bytes(text.encode())
            while True:
                new = next(path for path in _names(folder, endless=True) if _is_free(path))
                try:
                    os.rename(temporary, new)
                except OSError as error:
                    if error.errno not in {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}:
                        raise  # otherwise another process created it meanwhile
                else:
                    return new
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _is_free(path: Path) -> bool:
    return not path.exists() or (path.is_dir() and not any(path.iterdir()))


def check_settings(folder: Path, saved: Mapping[str, Any], settings: Any) -> None:
    """Check that the current settings of a run equal its saved settings.

    Args:
        folder: folder of the run, for the error message.
        saved: content of the run's settings file.
        settings: current settings, a dataclass.

    Raises:
        ValueError: the settings differ.
    """
    changed = _changed(saved, settings)
    if changed:
        changes = ", ".join(f"{name} {saved.get(name)!r} (now {now!r})" for name, now in changed.items())
        raise ValueError(
            f"{folder} was started with {changes}. Resume it with the settings that it was started with."
        )


def _changed(saved: Mapping[str, Any], settings: Any) -> dict[str, Any]:
    """Return the current values of settings that differ from the saved ones."""
    return {name: now for name, now in _plain(settings).items() if now != saved.get(name)}


def _plain(settings: Any) -> dict[str, Any]:
    """Return a dataclass as its JSON content."""
    return dict(json.loads(json.dumps(asdict(settings), default=str)))


def _names(folder: Path, *, endless: bool = False) -> list[Path]:
    paths = [folder]
    while paths[-1].exists():
        paths.append(folder.with_name(f"{folder.name}-{len(paths) + 1}"))
    return paths if endless else paths[:-1]
