"""Report on a learned reward: Markdown, pictures and TensorBoard.

`report_text`   report in Markdown
`write_report`  report.md, figures/ and a page of the tracker
`usage_lines`   three lines of Python that use the reward
`policy_lines`  lines of Python that load a policy
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from rlpriors.evaluation.rewards.verdict import Finding, verdict_line
from rlpriors.storage.atomic import write_atomically, write_text_atomically
from rlpriors.training.tracking.figures import figure_image
from rlpriors.training.tracking.run_tracker import Trackers, use_tracker

__all__ = ["policy_lines", "report_text", "usage_lines", "write_report"]

FIGURES = "figures"


def usage_lines(
    env_id: str, reward: Path, arguments: Mapping[str, object] = {}, *, encoded: bool = False
) -> tuple[str, ...]:
    """Return three lines of Python that give an environment, made with `arguments`, the learned reward.

    With `encoded` the environment has the encoder that the reward recorded.

    Example:
        >>> print(usage_lines("Reacher-v5", Path("runs/reward"))[-1])
        env = LearnedReward(make_env("Reacher-v5"), "runs/reward")
    """
    further = "".join(f", {name}={value!r}" for name, value in arguments.items())
    if encoded:
        folder = f'"{reward.as_posix()}"'
        return (
            "from rlpriors.envs.encoded_env import recorded_env",
            "from rlpriors.wrappers import LearnedReward",
            f'env = LearnedReward(recorded_env("{env_id}", {folder}{further}), {folder})',
        )
    return (
        "from rlpriors.envs.make import make_env",
        "from rlpriors.wrappers import LearnedReward",
        f'env = LearnedReward(make_env("{env_id}"{further}), "{reward.as_posix()}")',
    )


def policy_lines(policy: Path, keys: Sequence[str] | None) -> tuple[str, ...]:
    """Return lines of Python that load a policy for an environment `env`; it reads the leaves `keys`.

    Example:
        >>> print(policy_lines(Path("runs/policy"), ("position",))[-2])
        env = FlatObservation(env, ('position',))
    """
    return (
        "from rlpriors.agents import load_policy",
        "from rlpriors.wrappers.flat_observation import FlatObservation",
        f"env = FlatObservation(env, {None if keys is None else tuple(keys)!r})",
        f'policy = load_policy("{policy.as_posix()}", env.observation_space, env.action_space)',
    )


def report_text(
    title: str,
    findings: Sequence[Finding],
    choices: Mapping[str, str],
    usage: Sequence[str],
    pictures: Sequence[str] = (),
) -> str:
    """Return the report in Markdown.

    Args:
        title: title of the report.
        findings: findings of the evaluation.
        choices: chosen values with their reasons, by name.
        usage: lines of Python that use the reward.
        pictures: names of pictures in the folder figures/.
    """
    _, sentence = verdict_line(findings)
    rows = [f"| {f.name} | {f.value} | {f.level} | {f.meaning} |" for f in findings]
    parts = [
        f"# {title}",
        f"**{sentence}** The checks do not use the true reward.",
        "\n".join(["| check | number | level | meaning |", "|---|---|---|---|", *rows]),
        *(
            ["## Choices", "\n".join(f"- {name}: {reason}" for name, reason in choices.items())]
            if choices
            else []
        ),
        "## Use",
        "```python\n" + "\n".join(usage) + "\n```",
    ]
    if pictures:
        parts += ["## Pictures", "\n".join(f"![{name}]({FIGURES}/{name}.png)" for name in pictures)]
    return "\n\n".join(parts) + "\n"


def write_report(
    run: Path, text: str, figures: Mapping[str, Figure], tracker: Trackers = "tensorboard"
) -> None:
    """Write report.md, the figures, and text and images to the tracker, as `report` and `report/<name>`.

    The figures are closed.
    """
    write_text_atomically(run / "report.md", text)
    with use_tracker(tracker, run) as tracking, closing(tracking.writer("report")) as writer:
        writer.text("report", _as_list(text.partition("## Pictures")[0]))
        for name, figure in figures.items():
            save = partial(figure.savefig, format="png", dpi=140)
            write_atomically(run / FIGURES / f"{name}.png", save)
            writer.image(f"report/{name}", figure_image(figure))


def _as_list(text: str) -> str:
    """Return a report with a list in place of the table, whose narrow columns TensorBoard breaks."""
    lines = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| check |") or line.startswith("|---"):
            continue
        lines.append("- **{}: {}** ({}). {}".format(*cells) if line.startswith("| ") else line)
    return "\n".join(lines)
