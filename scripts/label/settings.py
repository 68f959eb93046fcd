"""Settings of `rlpriors label`.

`LabelSettings`  settings of the command
`HELP`           help of the command
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rlpriors.settings import check_fields

__all__ = ["HELP", "LabelSettings"]

HELP = """
A label says which of two short segments of recorded episodes is better.  A reward is learned from a few
hundred of them.  The labeler is a person, a program, or the true reward:

    rlpriors label --data episodes.npz --labeler page --task "run forward without falling"
    rlpriors label --data episodes.npz --labeler my_labels:compare --task "run forward"
    rlpriors label --data episodes.npz --labeler oracle --flip-probability 0.1 --n-pairs 500

The first command prints the address of a page with two clips next to each other; `--labeler human` asks in
the terminal.  The second one calls `compare(task, first, second)` of the module my_labels, such as a
vision-language model with --pictures 4.  The third one replaces a person in experiments.  Then:

    rlpriors learn-reward --from preferences --labels labels.jsonl --data episodes.npz --env Hopper-v5

Each answer is on the disk before the next pair is shown.  The same command again continues after Ctrl-C,
after a kill, and with a larger --n-pairs.  It writes --output, one line of JSON for each label.
"""

Sampler = Literal["uniform", "disagreement", "novelty"]


@dataclass(frozen=True, kw_only=True)
class LabelSettings:
    """Settings of `rlpriors label`.

    Raises:
        ValueError: a field is out of its bounds, or two fields contradict each other.
    """

    data: str
    """Episodes to compare: a .npz or .hdf5 file, a saved EpisodeStore, or a Minari id."""

    env: str | None = None
    """Environment of the data, which checks them; a maze also draws its walls.  Learning a reward with --env
    reads the data as this command does with the same --env."""

    obs_keys: tuple[str, ...] = ()
    """Leaves of Dict observations, in order; all leaves by default."""

    labeler: str = "page"
    """Source of the labels.  page: a person on a local page.  human: a person in the terminal.  oracle: the
    rewards in the data.  <module>:<function>: a function of the task and two clips that returns 0 (the first
    is better), 1 (the second) or -1 (neither), alone or with a confidence."""

    task: str = ""
    """Task in words, which a person and a function receive."""

    n_pairs: int = 100
    """Number of labels in the file at the end."""

    length: int = 25
    """Number of steps of a segment."""

    sampler: Sampler = "uniform"
    """Choice of the pairs.  uniform: random.  disagreement: pairs on which --rewards disagree most.  novelty:
    segments far from those compared before."""

    rewards: tuple[Path, ...] = ()
    """Folders of at least two saved rewards, for --sampler disagreement."""

    flip_probability: float = 0.0
    """Probability of a wrong answer of the oracle."""

    band: float = 0.0
    """Largest difference of two returns at which the oracle answers that neither is better."""

    pictures: int | None = None
    """Largest number of pictures of a segment that a function receives, as arrays [n, rows, columns, 3], in
    place of clips.  They are recorded images, or a drawing of the trajectory."""

    both_orders: bool = False
    """Second call of a function with the segments exchanged; different answers count as neither."""

    draw: tuple[int, ...] = ()
    """One or two entries of the observations to draw where no images were recorded; the first two by
    default."""

    port: int = 0
    """Port of the page on 127.0.0.1; 0 for a free one."""

    seed: int = 0
    """Random seed of the pairs and of the oracle's errors."""

    output: Path = Path("labels.jsonl")
    """File of the labels; an existing one is continued."""

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("n_pairs", "length", "pictures"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {value}.")
        for name in ("band", "port", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must be at least 0. Received {getattr(self, name)}.")
        if not 0 <= self.flip_probability <= 1:
            raise ValueError(f"`flip_probability` must be in [0, 1]. Received {self.flip_probability}.")
        module, _, function = self.labeler.partition(":")
        if self.labeler not in ("page", "human", "oracle") and not (module and function.isidentifier()):
            raise ValueError(
                '`labeler` must be "page", "human", "oracle" or "<module>:<function>". Received '
                f"{self.labeler!r}."
            )
        self._check_contradictions(is_function=bool(function))

    def _check_contradictions(self, *, is_function: bool) -> None:
        if (self.flip_probability or self.band) and self.labeler != "oracle":
            raise ValueError(
                '`flip_probability` and `band` are for `labeler` "oracle". Received the labeler '
                f"{self.labeler!r}; drop them."
            )
        if (self.pictures is not None or self.both_orders) and not is_function:
            raise ValueError(
                '`pictures` and `both_orders` are for a `labeler` "<module>:<function>". Received the '
                f"labeler {self.labeler!r}; drop them."
            )
        if (self.sampler == "disagreement") != (len(self.rewards) >= 2):
            raise ValueError(
                '`rewards` must be at least two folders with `sampler` "disagreement", and none otherwise. '
                f"Received {len(self.rewards)} and the sampler {self.sampler!r}."
            )
        if self.rewards and self.sampler != "disagreement":
            raise ValueError('`rewards` are for `sampler` "disagreement". Received others; drop them.')
