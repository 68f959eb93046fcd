"""The `rlpriors` command."""

import logging
from pathlib import Path

import tyro

__all__ = ["main"]


def main() -> None:
    """Entry point of the `rlpriors` command: `rlpriors --help` tells what there is."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    from rlpriors.scripts.demo.settings import DemoSettings
    from rlpriors.scripts.demonstrate.settings import DemonstrateSettings
    from rlpriors.scripts.encode import EncodeSettings, encode
    from rlpriors.scripts.imitate.settings import ImitateSettings
    from rlpriors.scripts.pretrain.settings import PretrainSettings
    from rlpriors.scripts.probe.settings import ProbeRunSettings
    from rlpriors.scripts.study.settings import StudySettings
    from rlpriors.scripts.train_policy.settings import TrainPolicySettings
    from rlpriors.scripts.visualize import VisualizeSettings, look

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
        from rlpriors.scripts.demo.run import demo  # takes seconds, which --help should not

        demo(settings, folder=folder, resume=resume)

    def run_demonstrate(
        settings: tyro.conf.OmitArgPrefixes[DemonstrateSettings], folder: Path | None = None
    ) -> None:
        """Record an expert as frames, to be imitated from, and say what it is worth beside random play.

            rlpriors demonstrate --env pong --folder demos/pong
            rlpriors demonstrate --env Reacher-v5
            rlpriors demonstrate --env HalfCheetah-v5 --recording halfcheetah-v5-expert.safetensors

        The first two are played by scripts that see the memory or the joints; the last draws recorded
        states, here those of benchmarks/data.

        Args:
            settings: who plays what.
            folder: where the frames go; demos/<env> by default.  It must be new.
        """
        from rlpriors.scripts.demonstrate.run import demonstrate  # takes seconds, which --help should not

        demonstrate(settings, folder=folder)

    def run_encode(settings: tyro.conf.OmitArgPrefixes[EncodeSettings]) -> None:
        """Encode a data set of images once: what learns from it then needs no encoder.

        Args:
            settings: what is done.
        """
        encode(settings)

    def run_imitate(
        settings: tyro.conf.OmitArgPrefixes[ImitateSettings],
        folder: Path | None = None,
        resume: bool = False,
    ) -> None:
        """Imitate demonstrations from pixels, with a learned representation or without.

        A representation is worth what it adds to cloning alone, so run the controls beside it:

            rlpriors demonstrate --env pong
            rlpriors imitate --env pong --demos demos/pong --mode pretrain --method simclr
            rlpriors imitate --env pong --demos demos/pong --mode joint --method simclr
            rlpriors imitate --env pong --demos demos/pong --mode scratch
            rlpriors imitate --env pong --demos demos/pong --mode scratch --no-augment
            rlpriors imitate --env pong --demos demos/pong --mode gail --method simclr

        Each tells the policy's true return, and where it lies between random play (0) and the
        demonstrations (1).

        Args:
            settings: what is done.
            folder: where the run is kept; runs/imitate-<env>-<mode>-<method>-seed<seed> by default.
            resume: go on with a run that was stopped, from its last checkpoint.
        """
        from rlpriors.scripts.imitate.run import imitate  # takes seconds, which --help should not

        imitate(settings, folder=folder, resume=resume)

    def run_look(settings: tyro.conf.OmitArgPrefixes[VisualizeSettings], folder: Path | None = None) -> None:
        """Draw what an encoder looks at in an environment, to PNG and TensorBoard.

        Args:
            settings: what is done.
            folder: where the pictures go; runs/look-<env>-<encoder> by default.
        """
        look(settings, folder=folder)

    def run_probe(
        settings: tyro.conf.OmitArgPrefixes[ProbeRunSettings],
        folder: Path | None = None,
        resume: bool = False,
    ) -> None:
        """Say what an encoder knows of a game or a robot, beside what knows less and more.

            rlpriors probe --game pong --encoder runs/encoder --readout "grid(2)"
            rlpriors probe --env HalfCheetah-v5 --encoder dinov2-small
            rlpriors probe --data demos/pong --encoder runs/encoder

        The first asks for the variables in the memory of an Atari 2600, by AtariARI's linear probes; the
        second for positions and velocities of a MuJoCo environment, by ridge regression; the third for
        what the expert does whom `rlpriors demonstrate` recorded.  All ask for signs of rewards, and say
        whether features use their dimensions.

        Args:
            settings: what is done.
            folder: where the run is kept; runs/probe-<world>-<encoder> by default.
            resume: go on with a run that was stopped: what is finished is not done again.
        """
        from rlpriors.scripts.probe.run import probe  # takes seconds, which --help should not

        probe(settings, folder=folder, resume=resume)

    def run_pretrain(
        settings: tyro.conf.OmitArgPrefixes[PretrainSettings],
        folder: Path | None = None,
        resume: bool = False,
    ) -> None:
        """Learn an encoder from frames, without labels:

            rlpriors pretrain --method atc --env ALE/Pong-v5
            rlpriors pretrain --method mae --env HalfCheetah-v5 --encoder vit-nano --readout mean
            rlpriors pretrain --method spr --data my-frames more-frames --encoder nature-cnn

        The first collects frames by random actions, the third takes what a FrameWriter wrote.  The
        encoder that comes out goes in front of an environment by EncodeObservation(env, folder).
        Several devices: torchrun --nproc-per-node 2 -m rlpriors.scripts.main pretrain ...

        Args:
            settings: what is done.
            folder: where the run is kept; runs/pretrain-<method>-<encoder>-<data>-seed<seed> by default.
            resume: go on with a run that was stopped, from its last checkpoint.
        """
        from rlpriors.scripts.pretrain.run import pretrain  # takes seconds, which --help should not

        pretrain(settings, folder=folder, resume=resume)

    def run_study(
        settings: tyro.conf.OmitArgPrefixes[StudySettings],
        folder: Path | None = None,
        resume: bool = False,
    ) -> None:
        """Ask whether pretraining on data closer to the target helps: splits x labels x modes.

            rlpriors study mae --target halfcheetah
            rlpriors study mae --target pong --splits near far none --labels 8
            rlpriors study mae --data coco:/data/coco --target pet:/data/oxford-iiit-pet

        An encoder learns from each split alone, without labels; then each pixel's class is learned from a
        few labeled images of the target.  Beside it stand how far the split lies from the target, and
        the controls: no pretraining, shuffled pixels, and longer learning from labels.

        Args:
            settings: what is done.
            folder: where the run is kept; runs/study-<method>-<target>-seed<seed> by default.
            resume: go on with a run that was stopped: finished cells are not made again.
        """
        from rlpriors.scripts.study.run import study  # takes seconds, which --help should not

        study(settings, folder=folder, resume=resume)

    def run_train_policy(
        settings: tyro.conf.OmitArgPrefixes[TrainPolicySettings],
        folder: Path | None = None,
        resume: bool = False,
    ) -> None:
        """Learn a policy from scratch by a saved reward alone, also where the world has changed.

        The reward that the environment pays is counted beside it and never shown to the policy:

            rlpriors train-policy --reward runs/demo-seed0/reward --env PointMaze_UMaze-v3 --goal-cells 3 1
            rlpriors train-policy ... --start-cells 1 1 --mass 2
            rlpriors train-policy ... --own-reward

        The first asks whether the reward leads to the demonstrations' goal, the second whether it
        does so from one start with a heavier body, the third what the true reward would lead to.

        Args:
            settings: what is done.
            folder: where the run is kept; runs/policy-<env>-<algorithm>-seed<seed> by default.
            resume: go on with a run that was stopped, from its last checkpoint.
        """
        from rlpriors.scripts.train_policy.run import train_policy  # takes seconds, which --help should not

        train_policy(settings, folder=folder, resume=resume)

    try:
        tyro.extras.subcommand_cli_from_dict(
            {
                "demo": run_demo,
                "demonstrate": run_demonstrate,
                "encode": run_encode,
                "imitate": run_imitate,
                "look": run_look,
                "pretrain": run_pretrain,
                "probe": run_probe,
                "study": run_study,
                "train-policy": run_train_policy,
            },
            prog="rlpriors",
            description="Pretrained priors for reinforcement learning.",
        )
    except (ValueError, FileNotFoundError, ImportError, FloatingPointError) as error:
        raise SystemExit(f"rlpriors: {error}") from error


if __name__ == "__main__":
    main()
