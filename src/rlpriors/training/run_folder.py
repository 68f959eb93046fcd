"""Run folders: creation, settings on disk, and resuming.

`create_or_resume_run`  the folder of a new run, or of an earlier run with the same settings
`check_settings`        refusal to resume with other settings
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
    """Write `content` for people and programs to read."""

    def write(temporary: Path) -> None:
        temporary.write_text(json.dumps(content, indent=2) + "\n")

    write_atomically(path, write)


def create_or_resume_run(folder: Path, settings: Any, *, resume: bool) -> Path:
    """The folder of a new run, or with `resume` that of an earlier one.

    A new run never writes over an earlier one: where `folder` exists, "-2", "-3", ... are tried.
    `resume` takes the latest of these that has these settings.

    Raises:
        FileNotFoundError: there is nothing to resume.
        ValueError: all of them have other settings; those of the latest are told.
    """
    taken = [path for path in _names(folder) if (path / "settings.json").exists()]
    if not resume:
        new = next(path for path in _names(folder, endless=True) if not path.exists())
        new.mkdir(parents=True)
        write_json(new / "settings.json", _plain(settings))
        return new
    if not taken:
        raise FileNotFoundError(f"There is no run to resume in {folder}. Start it without --resume.")
    saved = {path: json.loads((path / "settings.json").read_text()) for path in reversed(taken)}
    run = next((path for path in saved if not _unlike(saved[path], settings)), taken[-1])
    check_settings(run, saved[run], settings)
    return run


def check_settings(folder: Path, saved: Mapping[str, Any], settings: Any) -> None:
    """Refuse to go on with what was begun otherwise.

    Args:
        folder: where it is, for the error.
        saved: the settings that it was begun with, as JSON has them.
        settings: those of now, a dataclass.

    Raises:
        ValueError: they differ.
    """
    differ = _unlike(saved, settings)
    if differ:
        told = ", ".join(f"{name} {saved.get(name)!r} (now {now!r})" for name, now in differ.items())
        raise ValueError(f"{folder} was started with {told}. Resume it with the settings it began with.")


def _unlike(saved: Mapping[str, Any], settings: Any) -> dict[str, Any]:
    """Settings of now that were others."""
    return {name: now for name, now in _plain(settings).items() if now != saved.get(name)}


def _plain(settings: Any) -> dict[str, Any]:
    """A dataclass as JSON has it."""
    return dict(json.loads(json.dumps(asdict(settings), default=str)))


def _names(folder: Path, *, endless: bool = False) -> list[Path]:
    paths = [folder]
    while paths[-1].exists():
        paths.append(folder.with_name(f"{folder.name}-{len(paths) + 1}"))
    return paths if endless else paths[:-1]
