"""Search of settings: equal trials, and the recorded choice."""

from pathlib import Path

from benchmarks.irl import search
from benchmarks.irl.methods import KNOBS

from rlpriors.training.run_folder import write_json


def test_every_method_has_a_cell_for_each_trial_and_seed() -> None:
    cells = search.trials(["gridworld"], ["gail", "nearest-expert"], True, (100, 101))
    assert len(cells) == 2 * 2 * 4
    assert [cell.method for cell in cells[:8]] == ["nearest-expert"] * 8  # cheap ones first
    assert len({cell.file(Path("runs")) for cell in cells}) == len(cells)


def test_the_best_mean_over_seeds_is_chosen_and_recorded(tmp_path: Path) -> None:
    values = {0: (0.5, 0.5), 1: (0.9, 0.3), 2: (0.4, 0.4), 3: (0.6, 0.0)}
    for cell in search.trials(["umaze"], ["gail"], True, (100, 101)):
        assert cell.trial is not None
        value = values[cell.trial][cell.seed - 100]
        cell.file(tmp_path / "runs").parent.mkdir(parents=True, exist_ok=True)
        write_json(cell.file(tmp_path / "runs"), {"progress_spearman": value, "step_spearman": 0.0})
    rows = search.collect_trials(tmp_path / "runs", tmp_path / "search.csv")
    assert len(rows) == 8
    assert rows[0] == ["umaze", "gail", "0", "{}", "100", "progress_spearman", "0.5"]
    (choice,) = search.choose(rows)
    assert choice == ["umaze", "gail", '{"lr": 0.001}', "progress_spearman", "0.6"]
    assert KNOBS["gail"][1] == {"lr": 1e-3}


def test_environments_without_a_value_of_states_are_compared_by_the_step_reward() -> None:
    metrics = {"progress_spearman": 0.1, "step_spearman": 0.2, "return": 3.0}
    assert search.criterion("umaze", metrics) == "progress_spearman"
    assert search.criterion("reacher", metrics) == "step_spearman"
    assert search.criterion("reacher", {"return": 3.0}) == "return"
    assert search.criterion("reacher", {}) is None
