"""The `rlpriors` command."""

import logging
from pathlib import Path

import tyro

__all__ = ["main"]


def main() -> None:
    """Entry point of the `rlpriors` command: `rlpriors --help` tells what there is."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    from rlpriors.scripts.demo_settings import DemoSettings
    from rlpriors.scripts.encode import EncodeSettings, encode
    from rlpriors.scripts.look import LookSettings, look

    def run_demo(
        settings: tyro.conf.OmitArgPrefixes[DemoSettings] = DemoSettings(),  # noqa: B008 (frozen)
        folder: Path | None = None,
        resume: bool = False,
    ) -> None:
        """Learn a reward from demonstrations in a U-shaped maze, from nothing, within five minutes.

        Args:
            settings: what is done.
            folder: where the run is kept; runs/demo-seed<seed> by default.
            resume: go on with a run that was stopped: its data is made again, its training goes on.
        """
        from rlpriors.scripts.demo import demo  # takes seconds, which --help should not

        demo(settings, folder=folder, resume=resume)

    def run_encode(settings: tyro.conf.OmitArgPrefixes[EncodeSettings]) -> None:
        """Encode a data set of images once: what learns from it then needs no encoder.

        Args:
            settings: what is done.
        """
        encode(settings)

    def run_look(settings: tyro.conf.OmitArgPrefixes[LookSettings], folder: Path | None = None) -> None:
        """Draw what an encoder looks at in an environment, to PNG and TensorBoard.

        Args:
            settings: what is done.
            folder: where the pictures go; runs/look-<env>-<encoder> by default.
        """
        look(settings, folder=folder)

    try:
        tyro.extras.subcommand_cli_from_dict(
            {"demo": run_demo, "encode": run_encode, "look": run_look},
            prog="rlpriors",
            description="Pretrained priors for reinforcement learning.",
        )
    except (ValueError, FileNotFoundError) as error:
        raise SystemExit(f"rlpriors: {error}") from error
