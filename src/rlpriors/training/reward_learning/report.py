"""Report on a learned reward: Markdown, pictures and TensorBoard.

`report_text`   report in Markdown
`write_report`  report.md, figures/ and a page in TensorBoard
`usage_lines`   three lines of Python that use the reward
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch.utils.tensorboard import SummaryWriter

from rlpriors.evaluation.rewards.verdict import Finding, verdict_line
from rlpriors.storage.atomic import write_atomically, write_text_atomically

__all__ = ["report_text", "usage_lines", "write_report"]

FIGURES = "figures"


def usage_lines(env_id: str, reward: Path, arguments: Mapping[str, object] = {}) -> tuple[str, ...]:
    """Return three lines of Python that give an environment, made with `arguments`, the learned reward.

    Example:
        >>> print(usage_lines("Reacher-v5", Path("runs/reward"))[-1])
        env = LearnedReward(make_env("Reacher-v5"), "runs/reward")
    """
    further = "".join(f", {name}={value!r}" for name, value in arguments.items())
    return (
        "from rlpriors.envs.make import make_env",
        "from rlpriors.wrappers import LearnedReward",
        f'env = LearnedReward(make_env("{env_id}"{further}), "{reward.as_posix()}")',
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
        f"**{sentence}** The true reward was not read.",
        "\n".join(["| check | number | level | meaning |", "|---|---|---|---|", *rows]),
        "## Choices",
        "\n".join(f"- {name}: {reason}" for name, reason in choices.items()),
        "## Use",
        "```python\n" + "\n".join(usage) + "\n```",
    ]
    if pictures:
        parts += ["## Pictures", "\n".join(f"![{name}]({FIGURES}/{name}.png)" for name in pictures)]
    return "\n\n".join(parts) + "\n"


def write_report(run: Path, text: str, figures: Mapping[str, Figure], scalars: Mapping[str, float]) -> None:
    """Write report.md, the figures, and text, images and scalars to `<run>/tensorboard/report`.

    The figures are closed.
    """
    write_text_atomically(run / "report.md", text)
    with SummaryWriter(str(run / "tensorboard" / "report")) as writer:
        writer.add_text("report", text)
        for name, value in scalars.items():
            writer.add_scalar(f"diagnostics/{name}", value)
        for name, figure in figures.items():
            save = partial(figure.savefig, format="png", dpi=100)
            write_atomically(run / FIGURES / f"{name}.png", save)
            writer.add_figure(f"report/{name}", figure, close=False)
            plt.close(figure)
