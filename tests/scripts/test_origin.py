"""The command on a card has the settings of the run: it is parsed again."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tyro

from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.scripts.demo.settings import DemoSettings
from rlpriors.scripts.encoder_args import EncoderArgs
from rlpriors.scripts.imitate.settings import ImitateSettings
from rlpriors.scripts.learn_prior.settings import LearnPriorSettings
from rlpriors.scripts.learn_reward.settings import LearnRewardSettings
from rlpriors.scripts.origin import command_line, describe_data
from rlpriors.scripts.pretrain.settings import PretrainSettings
from rlpriors.scripts.train_policy.settings import TrainPolicySettings

COMMANDS: list[tuple[str, Any]] = [
    ("demo", DemoSettings()),
    ("demo", DemoSettings(seed=3, goal=(-1.0, 1.0))),
    ("learn-prior", LearnPriorSettings(env="m:My-v0", data="a b.npz", horizon=8)),
    (
        "learn-reward",
        LearnRewardSettings(
            env="Reacher-v5", demos="demos.npz", env_args='{"a": "x y"}', obs_index=(0, 1), held_out=0.1,
            obs_keys=("xy", "goal"), encoder="nature-cnn", weights="none", input_size=(32, 32),
        ),
    ),
    ("pretrain", PretrainSettings(env="ALE/Pong-v5", lr=1e-3, compile=True)),
    (
        "pretrain",
        PretrainSettings(data=(Path("x"), Path("y")), encoder=EncoderArgs("vit-nano", readout="mean")),
    ),
    (
        "pretrain",
        PretrainSettings(
            env="A-v0", options='{"ratio": 0.5}', encoder=EncoderArgs("nature-cnn", weights="none")
        ),
    ),
    (
        "train-policy",
        TrainPolicySettings(
            env="PointMaze_UMaze-v3", reward=Path("r"), hidden=(8, 9), blocked_cells=((1, 2), (3, 4)),
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("command", "settings"), COMMANDS, ids=lambda value: type(value).__name__)
def test_a_command_is_parsed_to_the_same_settings(command: str, settings: Any) -> None:
    program, name, *words = shlex.split(command_line(command, settings))
    assert (program, name) == ("rlpriors", command)
    assert tyro.cli(tyro.conf.OmitArgPrefixes[type(settings)], args=words) == settings


def test_every_field_of_a_reward_command_is_written() -> None:
    """A value that differs from its default appears, of every type of field."""
    settings = LearnRewardSettings(env="A-v0", demos="d.npz")
    changed = replace(settings, seed=5, stride=2, reference="random:9", inputs="observation-action")
    words = shlex.split(command_line("learn-reward", changed))
    assert dict(zip(words[2::2], words[3::2], strict=True)) == {
        "--env": "A-v0",
        "--demos": "d.npz",
        "--seed": "5",
        "--stride": "2",
        "--reference": "random:9",
        "--inputs": "observation-action",
    }


def test_folders_of_the_machine_are_not_written(tmp_path: Path) -> None:
    settings = ImitateSettings(env="A-v0", demos=tmp_path / "demos")
    assert command_line("imitate", settings) == "rlpriors imitate --env A-v0 --demos demos"


def test_data_in_words() -> None:
    episode = Episode(np.zeros((3, 1)), np.ones((2, 1)), *np.zeros((3, 2)))
    text = describe_data("/home/me/demos.npz", EpisodeStore.from_episodes([episode, episode]))
    assert text.startswith("`demos.npz`, 2 episodes, 4 steps, fingerprint `")
    assert len(text.split("`")[3]) == 32
