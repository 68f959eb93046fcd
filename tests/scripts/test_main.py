"""The `rlpriors` command: what it says of itself, and how it refuses."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import fields
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from processes import reset_interrupt, running_processes, wait_until

from rlpriors import scripts
from rlpriors.data.frame_writer import FrameWriter
from rlpriors.scripts.demo.settings import DemoSettings
from rlpriors.scripts.main import COMMANDS, main
from rlpriors.training import run_folder


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
    for name, command in COMMANDS.items():
        assert f"{name} {command.summary}" in out


def test_the_list_of_commands_fits_a_screen(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["rlpriors", "--help"])
    with pytest.raises(SystemExit, match="0"):
        main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    text = " ".join(lines)
    for word in ("A prior is", "a reward scores", "an encoder turns"):
        assert word in text


@pytest.mark.parametrize("name", COMMANDS)
def test_each_example_is_one_line(name) -> None:
    settings = import_module(f"rlpriors.scripts.{name.replace('-', '_')}.settings")
    examples = re.findall(r"^ {4}.*", settings.HELP, re.MULTILINE)
    assert examples
    assert [
        example for example in examples if not example.startswith(("    rlpriors ", "    torchrun "))
    ] == []


def test_every_package_is_a_command() -> None:
    packages = {path.parent.name for path in Path(scripts.__file__).parent.glob("*/run.py")}
    assert {name.replace("-", "_") for name in COMMANDS} == packages


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command(name, stop) -> None:
    code, out, _ = stop(name, "--help")
    assert code == 0
    assert COMMANDS[name].summary in out
    assert f"rlpriors {name} --" in out or f"rlpriors {name} mae" in out
    assert re.search(r"(It|Each run) writes", out)


def test_help_does_not_import_torch() -> None:
    code = "import sys; from rlpriors.scripts import main\ntry: main.main()\nexcept SystemExit: pass\n"
    code += "assert not {'torch', 'tianshou', 'gymnasium'} & set(sys.modules)"
    for args in (["--help"], ["demo", "--help"], ["pretrain", "--help"], ["learn-reward", "--help"]):
        result = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True)
        assert (result.returncode, result.stderr) == (0, ""), args


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
    ("args", "output"),
    [
        (["--device", "cuda:7"], "`--device` must exist. Received 'cuda:7', but this machine has"),
        (
            ["--device", "tpu"],
            '`--device` must be "auto", "cpu", "cuda" or "cuda:<index>". Received \'tpu\'.',
        ),
        (
            ["--goal", "0", "0"],
            "`--goal` must be in free space. Received (0.0, 0.0), which is in a wall or outside",
        ),
        (["--resume"], "There is no run to resume in runs/demo-seed0. Start it without --resume."),
    ],
)
def test_a_bad_value_ends_with_one_line(args, output, stop, tmp_path, caplog) -> None:
    code, out, err = stop("demo", *args)
    assert code == 1
    assert err.startswith(f"rlpriors: {output}")
    assert not out
    assert not caplog.records
    assert not list(tmp_path.iterdir())  # no run was begun


@pytest.mark.parametrize(
    ("args", "output"),
    [
        *(
            ([f"--{name}", "0"], f"`{name.replace('-', '_')}` must be at least 1. Received 0.")
            for name in ("n-episodes", "demonstrations", "data-episodes", "prior-updates", "threads")
        ),
        (["--seed", "-1"], "`seed` must be at least 0. Received -1."),
        (["--n-workers", "-2"], "`n_workers` must be at least 0. Received -2."),
        (["--reward-updates", "120"], "`reward_updates` must be a multiple of `checkpoint_every`, 50"),
        (["--n-episodes", "many"], "Error parsing --n-episodes"),
        (["--reward-inputs", "smell"], "invalid choice 'smell'"),
        (["--nonsense", "1"], "--nonsense"),
    ],
)
def test_a_bad_setting_is_refused_when_read(args, output, stop, tmp_path) -> None:
    code, out, err = stop("demo", *args)
    assert code == 2
    assert output in err
    assert "Traceback" not in out + err
    assert not list(tmp_path.iterdir())


def test_a_command_is_needed(stop) -> None:
    code, out, err = stop()
    assert code == 2
    assert "demo" in out + err


@pytest.mark.parametrize("arguments", ["--help", "encode --help"])
def test_a_closed_pipe_prints_no_traceback(arguments) -> None:
    code = f"import sys; sys.argv[1:] = {arguments.split()}; from rlpriors.scripts.main import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.close()  # what `head` does after its last line
        assert run.stderr.read() == b""


def test_a_pipe_that_closes_during_a_training_prints_no_traceback(tmp_path) -> None:
    """As by `rlpriors learn-prior ... 2>&1 | head -1`."""
    words = "learn-prior --env Pendulum-v1 --max-episode-steps 20 --collect random:200 --prior-updates 400 "
    words += f"--checkpoint-every 20 --device cpu --folder {tmp_path}/run"
    errors = tmp_path / "errors.txt"
    code = "import sys; from rlpriors.scripts.main import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, *words.split()], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as run:
        assert run.stdout is not None
        assert run.stdout.read(1)
        run.stdout.close()
        assert run.wait(60) in (0, 1)  # it ends before its last line is printed, or ignores the pipe
    assert not errors.exists()


def test_an_error_of_the_disk_ends_with_one_line(stop, tmp_path) -> None:
    with FrameWriter(tmp_path / "frames") as writer:
        writer.add_episode(np.zeros((3, 84, 84, 3), np.uint8))
    (tmp_path / "file").touch()
    code, _, errors = stop(
        *("encode", "--source", "frames", "--encoder", "nature-cnn", "--weights", "none"),
        *("--folder", "file/features", "--device", "cpu"),
    )
    assert (code, errors) == (1, "rlpriors: [Errno 20] Not a directory: 'file/features'")


def test_an_error_in_an_environment_names_its_line(stop, tmp_path, monkeypatch) -> None:
    lines = (
        "import gymnasium as gym",
        "class Broken(gym.Env):",
        "    observation_space = gym.spaces.Box(-1, 1, (2,))",
        "    action_space = gym.spaces.Discrete(2)",
        "    def reset(self, seed=None, options=None):",
        "        raise ValueError('no such level')",
        "gym.register('Broken-v0', Broken)",
    )
    (tmp_path / "broken_level.py").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    args = ("learn-prior", "--env", "broken_level:Broken-v0", "--max-episode-steps", "5")
    code, _, err = stop(*args, "--folder", str(tmp_path / "run"))
    assert code == 1
    assert err.endswith(f"rlpriors: no such level (in {tmp_path}/broken_level.py, line 6)")


def test_a_missing_extra_of_gymnasium_ends_with_one_line(stop, monkeypatch) -> None:
    """CartPole renders by pygame, which is no requirement of rlpriors."""
    monkeypatch.setitem(sys.modules, "pygame", None)
    code, _, errors = stop("pretrain", "--method", "simclr", "--env", "CartPole-v1", "--env-steps", "400")
    assert code == 1
    assert errors.endswith(
        'rlpriors: pygame is not installed, run `pip install "gymnasium[classic-control]"`'
    )


def test_the_version(stop) -> None:
    assert stop("--version")[:2] == (0, f"rlpriors {version('rlpriors')}")


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (("demo", "--seed", "3"), "Stopped. To resume: rlpriors demo --seed 3 --resume"),
        (("demo", "--resume"), "Stopped. To resume: rlpriors demo --resume"),
        (("demo", "--folder", "a b"), "Stopped. To resume: rlpriors demo --folder 'a b' --resume"),
        (("visualize", "--env", "CartPole-v1", "--encoder", "nature-cnn"), "Stopped."),  # nothing to resume
    ],
)
def test_ctrl_c_ends_with_the_command_that_resumes(args, hint, stop, monkeypatch) -> None:
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(run_folder, "BEGUN", [Path("runs/demo-seed0")])
    monkeypatch.setattr("rlpriors.scripts.demo.run.demo", interrupted)
    monkeypatch.setattr("rlpriors.scripts.visualize.run.visualize", interrupted)
    code, _, errors = stop(*args)
    assert (code, errors) == (130, hint)


@pytest.mark.parametrize("arguments", [[], ["in exec"]])
def test_a_ctrl_c_in_a_callback_from_c_or_an_exec_ends_alike(arguments, tmp_path) -> None:
    """numba's compiler calls Python by ctypes, which drops the exception; dataclasses use `exec`."""
    code = """
import ctypes, os, signal, sys, time
from rlpriors.scripts import main as module

def interrupted():
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(1000):
        pass

callback = ctypes.CFUNCTYPE(None)(interrupted)

def run(name, arguments):
    if arguments:
        exec("interrupted()")
    callback()
    time.sleep(30)

module._run = run
module.main()
"""
    (tmp_path / "stopped.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "-m", "stopped", "visualize", *arguments],  # "-m" differs from "-c" at the end
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=25,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.default_int_handler),
    )
    assert done.returncode == 130
    assert done.stderr == "\nStopped.\n"


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("seconds", [0.5, 4.0])
def test_ctrl_c_leaves_no_process_behind(seconds, tmp_path) -> None:
    """A terminal sends SIGINT to all processes of a command, workers included."""
    run = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "rlpriors.scripts.main", "demo", "--n-workers", "2", "--folder", run],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=reset_interrupt,
    )
    wait_until(run.exists, seconds=60)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.endswith(f"\nStopped. To resume: rlpriors demo --n-workers 2 --folder {run} --resume\n")
    assert "Traceback" not in errors
    wait_until(lambda: not running_processes(process.pid), seconds=10)
