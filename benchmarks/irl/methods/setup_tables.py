"""Tables of what each method and each environment of the benchmark receives.

`setup_tables`  Markdown tables of data and knobs, by the name of their section of the page
"""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.irl.environments.registry import ENVIRONMENTS, make_environment
from benchmarks.irl.methods import KNOBS, MAIN, METHODS
from benchmarks.irl.methods.knobs import CHOICES
from benchmarks.tables import markdown, read_csv

__all__ = ["setup_tables"]


def setup_tables(choices: Path = CHOICES) -> dict[str, str]:
    """Return the tables of the environments' data, the methods' data, and the chosen knobs."""
    return {
        "data of the environments": environments(),
        "data and knobs of the methods": methods(),
        "chosen knobs": chosen(read_csv(choices)),
    }


def environments() -> str:
    """Return a line for each environment: its data, and the budget of policies trained on a reward."""
    header = ["environment", "demonstrations", "prior's episodes", "random steps"]
    lines = [[*header, "policy", "policy's steps", "updates / step"]]
    for name in ENVIRONMENTS:
        environment = make_environment(name, quick=False)
        budget, policy = environment.budget, environment.policy_budget
        if name.startswith("gridworld"):
            trained = ["exact", "-", "-"]
        elif policy is None:
            trained = ["-", "-", "-"]
        else:
            trained = [
                policy.algorithm.algorithm.upper(),
                str(policy.env_steps),
                f"{policy.update_per_step:g}",
            ]
        lines.append(
            [
                name,
                str(environment.n_demonstrations),
                str(budget.data_episodes or "recorded"),
                str(budget.reference_steps),
                *trained,
            ]
        )
    return markdown(lines)


def methods() -> str:
    """Return a line for each method: the data that it receives and the knobs of its search."""
    lines = [["method", "prior's data", "further data", "acts", "trials", "knobs"]]
    for name in MAIN:
        method = METHODS[name]
        trials = KNOBS.get(name, ())
        knobs = sorted({knob for trial in trials for knob in trial})
        lines.append(
            [
                f"`{name}`",
                "yes" if method.prior else "no",
                method.reference or "none",
                "yes" if method.acts else "no",
                str(len(trials) or "-"),
                ", ".join(f"`{knob}`" for knob in knobs) or "-",
            ]
        )
    return markdown(lines, 6)


def chosen(rows: Sequence[Sequence[str]]) -> str:
    """Return a line for each search: the chosen trial and its mean on the development seeds."""
    if not rows:
        return "No search was run: all methods have their defaults."
    lines = [["environment", "method", "chosen", "by", "mean"]]
    for world, method, knobs, metric, value in rows:
        shown = "defaults" if knobs == "{}" else f"`{knobs}`"
        lines.append([world, f"`{method}`", shown, f"`{metric}`", f"{float(value):.2f}"])
    return markdown(lines, 4)
