"""Smallest runs of the commands that resume.

`RUNS`         arguments of each command, without those of its folder
`call`         run of a command in this process
`make_inputs`  frames, demonstrations and a reward that the runs read
`prepare`      imports and compilation of everything that the runs use
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import numpy as np

__all__ = ["RUNS", "call", "make_inputs", "prepare"]

SMALL_ENCODER = "--encoder nature-cnn --weights none"
RUNS = {
    "demo": "demo --data-episodes 3 --demonstrations 2 --prior-updates 20 --reward-updates 20 --n-workers 0 "
    "--agreement-updates 5 --held-out 2 "
    "--checkpoint-every 5 --n-episodes 2 --device cpu",
    "encode": "encode --source {inputs}/pong --input-size 36 36 --batch-size 4 --device cpu " + SMALL_ENCODER,
    "imitate pretrain": "imitate --env pong --demos {inputs}/pong --mode pretrain --updates 8 --batch-size 8 "
    "--checkpoint-every 2 --representation-updates 4 --representation-batch 8 --random-steps 40 --hidden 16 "
    "--n-episodes 1 --max-episode-steps 20 --device cpu",
    "imitate gail": "imitate --env pong --demos {inputs}/pong --mode gail --method none --random-steps 0 "
    "--env-steps 96 --n-envs 2 --hidden 16 --n-episodes 1 --max-episode-steps 20 --exact-resume --device cpu",
    "learn-prior": "learn-prior --env Pendulum-v1 --max-episode-steps 20 --collect random:400 "
    "--prior-updates 20 --checkpoint-every 5 --device cpu",
    "learn-reward": "learn-reward --env Pendulum-v1 --max-episode-steps 20 --demos {inputs}/swings.npz "
    "--collect random:400 --prior-updates 20 --reward-updates 20 --agreement-updates 10 --checkpoint-every 5 "
    "--policy-steps 0 "
    "--device cpu",
    "pretrain": "pretrain --method mae --data {inputs}/frames --encoder vit-nano --input-size 16 16 "
    "--updates 12 --batch-size 8 --log-every 1 --log-images-every 6 --checkpoint-every 2 "
    "--collapse-sample-size 16 --device cpu",
    "probe": "probe --game pong --data {inputs}/ram --min-frames 20 --epochs 2 --supervised-epochs 1 "
    "--device cpu",
    "study": "study mae --target pong --splits near none --n-frames 24 --updates 2 --batch-size 8 --labels 2 "
    "--image-size 32 --segmentation-updates 2 --n-test-frames 6 --device cpu",
    "train-policy sac": "train-policy --reward {inputs}/reward --env Pendulum-v1 --env-steps 64 --n-envs 2 "
    "--random-steps 16 --update-per-step 0.5 --batch-size 8 --hidden 8 --max-episode-steps 6 --n-episodes 2 "
    "--checkpoint-every 16 --exact-resume --normalize --device cpu",
    "train-policy ppo": "train-policy --reward {inputs}/reward --env Pendulum-v1 --algorithm ppo "
    "--env-steps 64 --n-envs 2 --batch-size 8 --hidden 8 --max-episode-steps 6 --n-episodes 2 "
    "--checkpoint-every 16 --exact-resume --device cpu",
    "train-policy dqn": "train-policy --reward {inputs}/cart --env CartPole-v1 --env-steps 64 --n-envs 2 "
    "--random-steps 16 --update-per-step 0.5 --batch-size 8 --hidden 8 --max-episode-steps 6 --n-episodes 2 "
    "--checkpoint-every 16 --exact-resume --device cpu",
    "zero-shot": "zero-shot --env Pendulum-v1 --max-episode-steps 20 --collect random:400 --updates 20 "
    "--batch-size 8 --hidden 8 --dim 2 --checkpoint-every 5 --n-goals 2 --n-episodes 1 "
    "--reward {inputs}/reward --device cpu",
}
"""Arguments by name; the first word of a name is the command."""

MODULES = (
    "ale_py",
    "gymnasium_robotics",
    "kornia",
    "matplotlib.pyplot",
    "mujoco",
    "PIL.Image",
    "torch._dynamo",
)


@contextmanager
def _arguments(words: list[str]) -> Iterator[None]:
    saved, sys.argv = sys.argv, ["rlpriors", *words]
    try:
        yield
    finally:
        sys.argv = saved


def call(name: str, inputs: Path, *options: str) -> None:
    """Run a command of `RUNS` in this process."""
    from rlpriors.scripts.main import main

    with _arguments([*RUNS[name].format(inputs=inputs).split(), *options]):
        main()


def prepare() -> None:
    """Import all modules of the runs, and compile Tianshou's functions, which takes seconds."""
    commands = {name.split()[0].replace("-", "_") for name in RUNS}
    for name in ("rlpriors.scripts.main", *(f"rlpriors.scripts.{command}.run" for command in commands)):
        import_module(name)
    for name in MODULES:
        import_module(name)
    from gymnasium.spaces import Box, Discrete
    from tianshou.data import VectorReplayBuffer

    from rlpriors.agents.online.factory import make_algorithm
    from rlpriors.agents.online.settings import AlgorithmSettings

    VectorReplayBuffer(8, 2)
    make_algorithm(Box(-1, 1, (1,)), Box(-1, 1, (1,)), AlgorithmSettings("ppo"), device="cpu", seed=0)
    make_algorithm(Box(-1, 1, (1,)), Discrete(2), AlgorithmSettings("dqn"), device="cpu", seed=0)


def make_inputs(folder: Path) -> None:
    """Write the inputs of all runs to `folder`, unless it has them."""
    from rlpriors.data.frame_writer import FrameWriter
    from rlpriors.rewards import MLPReward, RewardSettings
    from rlpriors.scripts.main import main

    if folder.exists():
        return
    rng = np.random.default_rng(0)
    part = folder.with_name(f"{folder.name}-unfinished")
    with FrameWriter(part / "frames") as writer:
        for _ in range(4):
            coarse = rng.integers(0, 256, (12, 2, 2, 3), np.uint8)
            writer.add_episode(coarse.repeat(8, 1).repeat(8, 2), act=rng.integers(0, 3, 12))
    with FrameWriter(part / "ram") as writer:
        for _ in range(8):
            images = rng.integers(256, size=(20, 80, 76, 1), dtype=np.uint8)
            writer.add_episode(images, ram=rng.integers(0, 4, (20, 128)).astype(np.uint8))
    angles = np.cumsum(rng.normal(0, 0.1, (6, 21)), 1)
    swings = np.stack([np.cos(angles), np.sin(angles), 0 * angles], 2).astype(np.float32)
    actions = rng.uniform(-2, 2, (120, 1)).astype(np.float32)
    np.savez(part / "swings.npz", obs=swings.reshape(126, 3), act=actions, lengths=np.full(6, 20))
    MLPReward(RewardSettings(obs_dim=3, act_dim=1)).save(part / "reward")
    MLPReward(RewardSettings(obs_dim=4, act_dim=1, n_actions=2)).save(part / "cart")
    words = f"demonstrate --env pong --n-episodes 2 --n-random-episodes 1 --folder {part}/pong"
    with _arguments([*words.split(), "--max-episode-steps", "20"]):
        main()
    part.rename(folder)
