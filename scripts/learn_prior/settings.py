"""Settings of `rlpriors learn-prior`.

`LearnPriorSettings`  settings of the command
`HELP`                help of the command
"""

from dataclasses import dataclass

from rlpriors.scripts.learning_args import LearningArgs

__all__ = ["HELP", "LearnPriorSettings"]

HELP = """
The prior is a diffusion model of trajectories.  It knows which behavior is possible, not which is desired.
Plans combine it with a reward (`rlpriors plan`).  `rlpriors learn-reward` includes this command:

    rlpriors learn-prior --env Reacher-v5 --collect random:20000
    rlpriors learn-prior --env my_module:MyEnv-v0 --data replay.hdf5 --horizon 32
    rlpriors learn-prior --env CarRacing-v3 --encoder nature-cnn --weights none --frame-stack 2

It prints the fraction of held-out data that the prior covers.  It writes runs/prior-<env>-seed<seed>: the
prior in prior/, numbers in results.json and TensorBoard logs in tensorboard/.
"""


@dataclass(frozen=True, kw_only=True)
class LearnPriorSettings(LearningArgs):
    """Settings of `rlpriors learn-prior`.

    Raises:
        ValueError: a field is out of its bounds.
    """
