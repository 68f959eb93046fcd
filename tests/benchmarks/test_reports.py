"""Pages of measured results: a report writes them from the csv files without a change."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.control import report as control_report
from benchmarks.control import run as control
from benchmarks.diffusion import guidance, samplers
from benchmarks.exploration import report as exploration_report
from benchmarks.exploration import run as exploration
from benchmarks.imitation import report as imitation_report
from benchmarks.imitation import run as imitation
from benchmarks.irl import cost, cost_tables, locomotion_rewards
from benchmarks.irl import report as irl_report
from benchmarks.irl import run as irl
from benchmarks.irl.methods import MAIN, VARIANTS
from benchmarks.own_data import run as own_data
from benchmarks.planning_speed import report as planning_speed_report
from benchmarks.planning_speed import run as planning_speed
from benchmarks.policies import act_jepa
from benchmarks.policies import report as policy_report
from benchmarks.policies import run as policies
from benchmarks.preferences import report as preference_report
from benchmarks.preferences import run as preferences
from benchmarks.preferences import self_play
from benchmarks.pretraining import distribution, distribution_report
from benchmarks.probing import cells as probing_cells
from benchmarks.probing import pearl, pearl_report
from benchmarks.probing import report as probing_report
from benchmarks.probing import run as probing
from benchmarks.self_prediction import report as self_prediction_report
from benchmarks.self_prediction import run as self_prediction
from benchmarks.speed import encode, encode_report
from benchmarks.synthetic_data import report as synthetic_data_report
from benchmarks.synthetic_data import run as synthetic_data
from benchmarks.tables import read_csv
from benchmarks.verdicts import report as verdict_report
from benchmarks.verdicts import run as verdicts
from benchmarks.world_models import report as world_models_report
from benchmarks.world_models import run as world_models
from benchmarks.zero_shot import report as zero_shot_report
from benchmarks.zero_shot import run as zero_shot

from rlpriors.scripts.study.report import read_rows

DOCS = Path(__file__).parents[2] / "docs"
PAGES = (
    "diffusion",
    "control",
    "exploration",
    "imitation",
    "irl",
    "own_data",
    "pearl",
    "planning_speed",
    "policies",
    "preferences",
    "pretraining_distribution",
    "probing",
    "self_prediction",
    "speed",
    "synthetic_data",
    "world_models",
    "zero_shot",
)
SECTION = re.compile(r"<!-- (?!end of )(.*?) -->\n(.*?)<!-- end of \1 -->", re.DOTALL)


def write_diffusion(docs: Path) -> None:
    page = docs / "results" / "diffusion.md"
    guidance.report(read_csv(guidance.RESULTS), page)
    samplers.report(read_csv(samplers.RESULTS), page)


def write_control(docs: Path) -> None:
    control_report.report(read_csv(control.RESULTS), docs / "results" / "control.md")


def write_exploration(docs: Path) -> None:
    page = docs / "results" / "exploration.md"
    exploration_report.report(read_csv(exploration.RESULTS), page, read_csv(exploration.TRIALS))
    self_play.report(read_csv(self_play.RESULTS), page)


def write_imitation(docs: Path) -> None:
    imitation_report.report(read_csv(imitation.RESULTS), docs / "results" / "imitation.md")


def write_irl(docs: Path) -> None:
    irl_report.report(read_csv(irl.RESULTS), docs, MAIN, VARIANTS)
    page = docs / "results" / "irl.md"
    cost.report(cost_tables.read_rows(cost.RESULTS), page)
    locomotion_rewards.report(read_csv(locomotion_rewards.RESULTS), page)


def write_own_data(docs: Path) -> None:
    page = docs / "results" / "own_data.md"
    own_data.report_page(page)
    verdict_report.report(read_csv(verdicts.RESULTS), page)


def write_policies(docs: Path) -> None:
    page = docs / "results" / "policies.md"
    policy_report.report(read_csv(policies.RESULTS), page)
    act_jepa.report(read_csv(act_jepa.RESULTS), page)


def write_preferences(docs: Path) -> None:
    preference_report.report(read_csv(preferences.RESULTS), docs / "results" / "preferences.md")


def write_pretraining(docs: Path) -> None:
    distribution_report.report(read_rows(distribution.RESULTS), docs)
    distribution_report.report_longer(read_rows(distribution.LONGER_RESULTS), docs)


def write_probing(docs: Path) -> None:
    probing_report.report(probing_cells.read_rows(probing.RESULTS), docs / "results" / "probing.md")


def write_pearl(docs: Path) -> None:
    pearl_report.report(read_csv(pearl.RESULTS), docs / "results" / "pearl.md")


def write_planning_speed(docs: Path) -> None:
    planning_speed_report.report(read_csv(planning_speed.RESULTS), docs / "results" / "planning_speed.md")


def write_self_prediction(docs: Path) -> None:
    page = docs / "results" / "self_prediction.md"
    self_prediction_report.report(read_csv(self_prediction.RESULTS), page)


def write_speed(docs: Path) -> None:
    encode_report.report(read_csv(encode.RESULTS), docs / "results" / "speed.md")


def write_synthetic_data(docs: Path) -> None:
    synthetic_data_report.report(read_csv(synthetic_data.RESULTS), docs / "results" / "synthetic_data.md")


def write_world_models(docs: Path) -> None:
    world_models_report.report(read_csv(world_models.RESULTS), docs / "results" / "world_models.md")


def write_zero_shot(docs: Path) -> None:
    zero_shot_report.report(read_csv(zero_shot.RESULTS), docs / "results" / "zero_shot.md")


WRITERS = (
    write_diffusion,
    write_control,
    write_exploration,
    write_imitation,
    write_irl,
    write_own_data,
    write_pearl,
    write_planning_speed,
    write_policies,
    write_preferences,
    write_pretraining,
    write_probing,
    write_self_prediction,
    write_speed,
    write_synthetic_data,
    write_world_models,
    write_zero_shot,
)


@pytest.mark.parametrize(("name", "write"), list(zip(PAGES, WRITERS, strict=True)), ids=PAGES)
def test_a_report_restores_the_page(
    name: str, write: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, function in (
        *((irl_report, "draw_methods"), (irl_report, "draw_demonstrations")),
        (distribution_report, "draw_figure"),
    ):
        monkeypatch.setattr(module, function, lambda *arguments: None)
    (tmp_path / "results").mkdir()
    page = Path(shutil.copy(DOCS / "results" / f"{name}.md", tmp_path / "results"))
    before = page.read_text()
    sections = [section[1] for section in SECTION.finditer(before)]
    empty = SECTION.sub(r"<!-- \1 -->\n<!-- end of \1 -->", before)
    assert sections
    assert empty != before
    page.write_text(empty)
    write(tmp_path)
    assert page.read_text() == before


@pytest.mark.parametrize("name", PAGES)
def test_tables_have_at_most_eight_columns(name: str) -> None:
    text = (DOCS / "results" / f"{name}.md").read_text()
    rules = [line for line in text.splitlines() if re.fullmatch(r"\|( ?-+:? ?\|)+", line)]
    assert rules
    assert max(line.count("|") - 1 for line in rules) <= 8
