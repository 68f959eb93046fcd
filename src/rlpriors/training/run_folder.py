"""Run folders with their settings on disk.

`create_or_resume_run`  the folder of a new run, or of an earlier run with the same settings
`check_settings`        comparison of saved settings with current settings
`write_json`            indented JSON, written atomically
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rlpriors.checkpoint import write_atomically

__all__ = ["check_settings", "create_or_resume_run", "write_json"]


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content` as indented JSON, atomically."""

    def write(temporary: Path) -> None:
        temporary.write_text(json.dumps(content, indent=2) + "\n")

    write_atomically(path, write)


def create_or_resume_run(folder: Path, settings: Any, *, resume: bool) -> Path:
    """Create the folder of a new run, or with `resume` return the folder of an earlier run.

    A new run never overwrites an earlier one: if `folder` exists, the suffixes "-2", "-3", ... are tried.
    `resume` returns the latest of these folders whose settings equal `settings`, a dataclass.

    Raises:
        FileNotFoundError: there is no earlier run.
        ValueError: all earlier runs have other settings; the message lists those of the latest.
    """
    earlier = [path for path in _names(folder) if (path / "settings.json").exists()]
    if not resume:
        new = next(path for path in _names(folder, endless=True) if not path.exists())
        new.mkdir(parents=True)
        write_json(new / "settings.json", _plain(settings))
        return new
    if not earlier:
        raise FileNotFoundError(f"There is no run to resume in {folder}. Start it without --resume.")
    saved = {path: json.loads((path / "settings.json").read_text()) for path in reversed(earlier)}
    run = next((path for path in saved if not _changed(saved[path], settings)), earlier[-1])
    check_settings(run, saved[run], settings)
    return run


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
