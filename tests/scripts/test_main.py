"""The `rlpriors` command: what it says of itself, and how it refuses."""

import re
import sys
from dataclasses import fields

import pytest

from rlpriors.scripts.demo.settings import DemoSettings
from rlpriors.scripts.main import main


@pytest.fixture
def stop(monkeypatch, tmp_path, capsys):
    """Run the command in an empty folder until it stops: exit code, output and errors in plain words."""
    monkeypatch.chdir(tmp_path)

    def run(*args: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["rlpriors", *args])
        with pytest.raises(SystemExit) as raised:
            main()
        code, (out, err) = raised.value.code, capsys.readouterr()
        if isinstance(code, str):  # Python prints it and exits with 1
            code, err = 1, err + code
        assert isinstance(code, int)
        words = (" ".join(re.sub("[│╭╮╰╯─]", " ", text).split()) for text in (out, err))
        return code, *words

    return run


def test_help(stop) -> None:
    code, out, _ = stop("--help")
    assert code == 0
    assert "Pretrained priors for reinforcement learning." in out
    assert "demo Learn a reward from demonstrations" in out


def test_help_names_every_setting(stop) -> None:
    code, out, _ = stop("demo", "--help")
    assert code == 0
    for field in fields(DemoSettings):
        assert f"--{field.name.replace('_', '-')} " in out
        default = field.default if field.name != "goal" else "-1.0 -1.0"
        assert f"(default: {default})" in out
    assert "--folder" in out
    assert "--resume" in out


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--device", "cuda:7"], "`device` is 'cuda:7', but this machine shows"),
        (["--device", "tpu"], '`device` must be "auto", "cpu", "cuda" or "cuda:<index>". Received \'tpu\'.'),
        (["--goal", "0", "0"], "`goal` must be in free space. Received (0.0, 0.0), a wall or outside"),
        (["--resume"], "There is no run to resume in runs/demo-seed0. Start it without --resume."),
    ],
)
def test_a_bad_value_ends_with_one_line(args, told, stop, tmp_path, caplog) -> None:
    code, out, err = stop("demo", *args)
    assert code == 1
    assert err.startswith(f"rlpriors: {told}")
    assert not out
    assert not caplog.records
    assert not list(tmp_path.iterdir())  # no run was begun


@pytest.mark.parametrize(
    ("args", "told"),
    [
        *(
            ([f"--{name}", "0"], f"`{name.replace('-', '_')}` must be at least 1. Received 0.")
            for name in ("episodes", "demonstrations", "data-episodes", "prior-updates", "threads")
        ),
        (["--seed", "-1"], "`seed` must be at least 0. Received -1."),
        (["--workers", "-2"], "`workers` must be at least 0. Received -2."),
        (["--reward-updates", "120"], "`reward_updates` must be a multiple of `checkpoint_every`, 50"),
        (["--episodes", "many"], "Error parsing --episodes"),
        (["--reward-inputs", "smell"], "invalid choice 'smell'"),
        (["--nonsense", "1"], "--nonsense"),
    ],
)
def test_a_bad_setting_is_refused_when_read(args, told, stop, tmp_path) -> None:
    code, out, err = stop("demo", *args)
    assert code == 2
    assert told in err
    assert "Traceback" not in out + err
    assert not list(tmp_path.iterdir())


def test_a_command_is_needed(stop) -> None:
    code, out, err = stop()
    assert code == 2
    assert "demo" in out + err
