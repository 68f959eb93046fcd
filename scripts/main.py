"""Entry point of the `rlpriors` command.

`COMMANDS`  commands with their settings class and a summary
`main`      the command line: `rlpriors <command> ...`

The command <name> is the package `rlpriors.scripts.<name>`: `settings.py` has the settings class and the
text `HELP`, and `run.py` has the function of the command's name.  `--help` imports only the settings.
"""

import argparse
import logging
import os
import shlex
import signal
import sys
import sysconfig
import traceback
from _thread import interrupt_main
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, make_dataclass
from importlib import import_module
from importlib.metadata import version
from threading import Timer, main_thread
from typing import Any

from rlpriors.scripts.run_args import FolderArgs, PolicyArgs, RunArgs, TrackedArgs

__all__ = ["COMMANDS", "Command", "main"]


@dataclass(frozen=True)
class Command:
    """A command of `rlpriors`."""

    summary: str
    """First sentence of the command's help."""
    settings: str
    """Name of the settings class in the command's `settings.py`."""
    run_args: type[Any] | None = RunArgs
    """Class of the arguments of the run's folder; None for a command whose settings contain the folder."""


COMMANDS = {
    "card": Command("Print the model card of a saved reward, prior or encoder.", "CardSettings", None),
    "demo": Command("Learn a reward from demonstrations in a maze, in minutes.", "DemoSettings", TrackedArgs),
    "demonstrate": Command(
        "Record an expert's episodes as frames, for imitation.", "DemonstrateSettings", FolderArgs
    ),
    "encode": Command("Encode a data set of images once, to train on its features.", "EncodeSettings", None),
    "imitate": Command(
        "Imitate demonstrations from pixels and evaluate the policy.", "ImitateSettings", TrackedArgs
    ),
    "label": Command("Compare recorded segments, by a person or a program.", "LabelSettings", None),
    "learn-prior": Command(
        "Train a diffusion model of an environment's trajectories.", "LearnPriorSettings", TrackedArgs
    ),
    "learn-reward": Command(
        "Learn a reward from your demonstrations, and evaluate it.", "LearnRewardSettings", PolicyArgs
    ),
    "plan": Command("Plan with a saved prior and a saved reward.", "PlanSettings", FolderArgs),
    "pretrain": Command("Train an encoder on frames without labels.", "PretrainSettings", TrackedArgs),
    "probe": Command("Measure which states, actions and rewards an encoder contains.", "ProbeRunSettings"),
    "push": Command("Upload a saved reward, prior or encoder to the hub.", "PushSettings", None),
    "study": Command("Compare encoders pretrained on different sources of images.", "StudySettings"),
    "train-policy": Command(
        "Train a policy from scratch on a saved reward.", "TrainPolicySettings", PolicyArgs
    ),
    "visualize": Command(
        "Draw an encoder's attention and saliency maps of frames.", "VisualizeSettings", FolderArgs
    ),
    "zero-shot": Command(
        "Learn policies for any goal or reward from data without rewards.", "ZeroShotRunSettings", TrackedArgs
    ),
}


OVERVIEW = """usage: rlpriors [-h] [--version] <command> ...

Pretrained priors for reinforcement learning.  A prior is a model of behavior,
a reward scores each step, and an encoder turns images into features.

commands:"""
START = "`rlpriors <command> --help` has examples.  Start with demo or learn-reward."


def main() -> None:
    """Run the command in `sys.argv`."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    arguments = sys.argv[1:]
    try:
        with _lost_interrupts_raised():
            if not arguments or arguments[0] not in COMMANDS:
                _parse_overview(arguments)
            else:
                _run(arguments[0], arguments[1:])
    except KeyboardInterrupt:
        _print_stop(arguments)
        # Clears a mark of CPython: after a Ctrl-C in an `exec`, such as a dataclass's, it ends by the signal.
        exec("")
        raise SystemExit(130) from None
    except BrokenPipeError as error:  # the reader of the output has ended, such as `head`
        _discard_output()
        raise SystemExit(1) from error
    except OSError as error:
        reason = str(error) if error.filename or not error.strerror else error.strerror
        raise SystemExit(f"rlpriors: {reason}{_place(error)}") from error
    except (ValueError, ImportError, FloatingPointError) as error:
        raise SystemExit(f"rlpriors: {_with_flags(str(error), arguments)}{_place(error)}") from error
    except Exception as error:
        if not type(error).__module__.startswith("gymnasium."):  # such as DependencyNotInstalled
            raise
        raise SystemExit(f"rlpriors: {error}") from error


def _with_flags(message: str, arguments: list[str]) -> str:
    """Return an error message in which settings have the flags in `arguments`, as `--n-updates`."""
    for flag in {argument.partition("=")[0] for argument in arguments if argument.startswith("--")}:
        message = message.replace(f"`{flag[2:].replace('-', '_')}`", f"`{flag}`")
    return message


def _place(error: Exception) -> str:
    """Return the file and line of an error in the user's own code, such as an environment; else nothing."""
    libraries = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        module, file = frame.f_globals.get("__name__", ""), frame.f_code.co_filename
        if module == "__main__" or module.partition(".")[0] == "rlpriors":
            return ""
        if not file.startswith(("<", *libraries)):
            return f" (in {file}, line {line})"
    return ""


@contextmanager
def _lost_interrupts_raised() -> Iterator[None]:
    """Raise a Ctrl-C again that was lost, and flush the output at the end.

    Python drops exceptions of callbacks from C, such as those of numba's compiler, and of destructors.
    """
    report = sys.unraisablehook

    def raise_again(ignored: Any) -> None:
        if not issubclass(ignored.exc_type, KeyboardInterrupt):
            report(ignored)
            return
        timer = Timer(0.05, _interrupt)  # not at once: this function is such a callback, too
        timer.daemon = True
        timer.start()

    sys.unraisablehook = raise_again
    try:
        yield
    finally:
        sys.unraisablehook = report
        sys.stdout.flush()  # Python flushes it only after `main`, and prints an error then


def _interrupt() -> None:
    """Send Ctrl-C to the main thread, which also ends what it waits for."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(main_thread().ident or 0, signal.SIGINT)
    else:  # Windows
        interrupt_main()


def _print_stop(arguments: list[str]) -> None:
    """Print how to resume a command that Ctrl-C stopped."""
    message = "Stopped."
    command = COMMANDS.get(arguments[0]) if arguments else None
    run_folder = sys.modules.get("rlpriors.training.run_folder")
    if (
        command is not None
        and issubclass(command.run_args or object, RunArgs)
        and run_folder
        and run_folder.BEGUN
    ):
        resumed = arguments if "--resume" in arguments else [*arguments, "--resume"]
        message += f" To resume: rlpriors {shlex.join(resumed)}"
    print(f"\n{message}", file=sys.stderr)


def _discard_output() -> None:
    """Discard what the streams of the output still hold, and all that follows."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(nothing, stream.fileno())


class _Overview(argparse.ArgumentParser):
    """Parser whose help fits a screen of 24 lines and 80 columns."""

    def format_help(self) -> str:
        width = max(map(len, COMMANDS))
        commands = [f"  {name:{width}}  {command.summary}" for name, command in COMMANDS.items()]
        return "\n".join([OVERVIEW, *commands, "", START, ""])


def _parse_overview(arguments: list[str]) -> None:
    """Print the list of commands for `--help`, and an error for anything else."""
    parser = _Overview(prog="rlpriors")
    parser.add_argument("--version", action="version", version=f"rlpriors {version('rlpriors')}")
    commands = parser.add_subparsers(metavar="<command>", required=True)
    for name in COMMANDS:
        commands.add_parser(name)
    if not arguments:
        parser.print_help(sys.stderr)
        raise SystemExit(2)
    parser.parse_args(arguments)


def _run(name: str, arguments: list[str]) -> None:
    """Parse the arguments of a command and run it."""
    import tyro  # here, so that a Ctrl-C during its import ends with one line, too

    command, package = COMMANDS[name], name.replace("-", "_")
    if os.getcwd() not in sys.path:  # modules of the current folder, behind all installed ones
        sys.path.append(os.getcwd())
    module = import_module(f"rlpriors.scripts.{package}.settings")
    flat = tyro.conf.OmitArgPrefixes  # --seed, not --settings.seed
    fields: list[tuple[str, Any]] = [("settings", flat[getattr(module, command.settings)])]
    if command.run_args is not None:
        fields.append(("run", flat[command.run_args]))
    parsed: Any = tyro.cli(
        make_dataclass("Arguments", fields),
        prog=f"rlpriors {name}",
        description=f"{command.summary}\n\n{module.HELP.strip()}",
        args=arguments,
    )
    function = getattr(import_module(f"rlpriors.scripts.{package}.run"), package)
    function(parsed.settings, **(vars(parsed.run) if command.run_args else {}))


if __name__ == "__main__":
    main()
