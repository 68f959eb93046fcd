"""The benchmark of reward learning: a small run from the command line, its table, its refusals."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture(autouse=True)
def _on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def run(runs: Path) -> list[str]:
    """Two methods in the grid world; the lines that were printed."""
    command = [sys.executable, str(BENCHMARKS / "irl.py"), "--quick", "--development", "--seeds", "100"]
    command += ["--worlds", "gridworld", "--parts", "main", "--methods", "contrastive", "bc"]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [*command, "--runs", str(runs)], env=env, cwd=runs.parent, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def results() -> dict[str, bytes]:
    """All files of `benchmarks/results`."""
    folder = BENCHMARKS / "results"
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_quick_run_leaves_a_file_for_each_cell_and_is_not_done_twice(tmp_path: Path) -> None:
    before = results()
    printed = run(tmp_path / "runs")
    assert [line.split(":")[0] for line in printed] == [
        f"gridworld seed 100 {method}-20" for method in ("prior", "contrastive", "bc")
    ]
    cells = tmp_path / "runs" / "gridworld" / "seed100"
    learned, cloned = (json.loads((cells / f"{name}-20.json").read_text()) for name in ("contrastive", "bc"))
    assert {"success", "return", "seconds"} <= set(learned) & set(cloned)
    assert {"spearman", "epic", "erc_pearson_mixed"} <= set(learned) - set(cloned)  # a clone has no reward
    assert np.isfinite([*learned.values(), *cloned.values()]).all()
    assert (cells / "rewards" / "contrastive-20" / "config.json").exists()

    times = {path: path.stat().st_mtime_ns for path in cells.rglob("*")}
    assert run(tmp_path / "runs") == []
    assert {path: path.stat().st_mtime_ns for path in cells.rglob("*")} == times
    assert results() == before  # quick runs are no results


def test_table_shows_means_and_intervals_of_the_largest_number_of_demonstrations() -> None:
    from benchmarks.irl.report import table

    scores = {
        "bc": {"20": {"success": [0.25], "seconds": [12.4]}, "5": {"success": [1.0]}},
        "contrastive": {"20": {"success": [0.5, 0.5, 0.5], "spearman": [0.9, 0.9, 0.9], "other": [1.0]}},
        "relative": {"5": {"success": [1.0]}},
    }
    assert table(scores).splitlines() == [
        "| method | seeds | success | Spearman | seconds |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| bc | 1 | 0.25 |  | 12 |",
        "| contrastive | 3 | 0.50 [0.50, 0.50] | 0.90 [0.90, 0.90] |  |",
    ]


def test_interval_of_two_seeds_is_between_them() -> None:
    from benchmarks.irl.report import table

    # The mean of two draws of {0, 1} is 0 or 1 with a chance of 1/4 each: beyond 2.5 % at both ends.
    assert table({"bc": {"20": {"success": [0.0, 1.0]}}}).endswith("| bc | 2 | 0.50 [0.00, 1.00] |")


def test_an_unknown_world_is_an_error_that_names_those_there_are() -> None:
    from benchmarks.irl.run import make_world

    with pytest.raises(ValueError, match=r"`--worlds` must be some of gridworld.*halfcheetah.*'moon'"):
        make_world("moon", quick=True)


def test_help_names_every_world(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarks.irl.run import WORLDS, main

    monkeypatch.setattr(sys, "argv", ["irl.py", "--help"])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        main()
    assert ", ".join(WORLDS) in capsys.readouterr().out


def test_large_with_cells_to_avoid_is_large_otherwise() -> None:
    from benchmarks.irl.run import make_world

    wide, careful = (make_world(name, quick=False) for name in ("large", "large-avoid"))
    assert careful.task.avoid
    assert not wide.task.avoid
    told = ("horizon", "stride", "execute", "max_start", "seed_recipe", "budget", "obs_index")
    assert [getattr(careful, name) for name in told] == [getattr(wide, name) for name in told]
    assert careful.task.goal == wide.task.goal


@pytest.mark.parametrize("name", ["umaze", "ring-avoid", "large", "large-avoid"])
def test_mazes_offer_changes_that_there_are(name: str) -> None:
    from benchmarks.irl.run import make_world, mark

    from rlpriors.envs.maze.layouts import WORLDS

    world = make_world(name, quick=True)
    assert world.changes[0] == "same"
    assert world.changes[-1] == "heavy"
    assert ("blocked" in world.changes) == (f"{name}-blocked" in WORLDS)
    assert (mark(world, "transfer"), mark(world, "changed")) == ("rl_success_same", "rl_success_heavy")


def test_runs_save_which_episodes_they_compared_returns_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.irl import worlds as irl_worlds
    from benchmarks.irl.run import make_world

    monkeypatch.setattr(irl_worlds, "COVERAGES", tmp_path)
    whole, few = (make_world("gridworld", quick=quick) for quick in (False, True))
    assert [coverage.store.n_episodes for coverage in few.coverages] == [6, 6, 6]
    assert not list(tmp_path.iterdir())  # quick runs are no results
    coverages = whole.coverages
    saved = json.loads((tmp_path / "gridworld.json").read_text())
    assert saved["stores"].keys() == {"base", "expert", "perturbed"}
    assert all(store["episodes"] == 500 for store in saved["stores"].values())
    assert [*saved["coverages"]] == ["base", "mixed", "perturbed"]
    for coverage in coverages:
        assert saved["coverages"][coverage.name]["episode"] == coverage.episode.tolist()
        assert saved["coverages"][coverage.name]["source"] == list(coverage.source)


@pytest.mark.parametrize("name", ["hopper", "halfcheetah"])
def test_runners_episodes_are_found_again_in_the_recordings(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.irl import worlds as irl_worlds
    from benchmarks.irl.locomotion import DATA
    from benchmarks.irl.run import make_world

    from rlpriors.data.episodes import EpisodeStore
    from rlpriors.evaluation.rewards.trajectory_sets import read_coverages

    monkeypatch.setattr(irl_worlds, "COVERAGES", tmp_path)
    for quick, seed in ((True, 3), (False, 100), (False, 3)):  # only the last one is a result
        assert not list(tmp_path.iterdir())
        world = make_world(name, quick=quick)
        world.seed = seed
        coverages = world.coverages()
    files = {"base": "replay", "expert": "expert"}
    stores = {
        source: EpisodeStore.load(DATA / f"{world.env_id.lower()}-{kind}.safetensors")
        for source, kind in files.items()
    }
    again = read_coverages(tmp_path / f"{name}-seed3.json", stores)
    assert [coverage.name for coverage in again] == ["base", "mixed"]
    for before, after in zip(coverages, again, strict=True):
        for column in ("obs", "act", "rew", "lengths"):
            np.testing.assert_array_equal(getattr(before.store, column), getattr(after.store, column))


def test_remedies_differ_from_their_control_in_what_they_are_named_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from benchmarks.irl import methods as irl_methods
    from benchmarks.irl.run import VARIANTS
    from benchmarks.irl.worlds import Budget

    class Given(Exception):
        """What `DiffusionIRL` was given."""

    def stand_in(**arguments: object) -> None:
        raise Given(arguments)

    monkeypatch.setattr(irl_methods, "DiffusionIRL", stand_in)
    world = SimpleNamespace(budget=Budget(), obs_index=(0, 1), max_start=60)
    lab = SimpleNamespace(world=world, seed=0, data=None, policy=lambda: None, reward=lambda **read: read)

    def learned_by(name: str) -> tuple[object, object, object]:
        with pytest.raises(Given) as caught:
            irl_methods.METHODS[name](lab)
        given = caught.value.args[0]
        return given["objective"], given["settings"], given["reward"]

    plain = irl_methods.DiffusionIRLSettings(quickness_power=0.0)
    everything, with_actions = {"obs_index": None}, {"obs_index": None, "inputs": ("obs", "act")}
    assert {
        name: learned_by(name) for name in ("all-plain", "all-noise", "action-plain", "action-marginal")
    } == {
        "all-plain": ("contrastive", plain, everything),
        "all-noise": ("contrastive", replace(plain, input_noise=0.3), everything),
        "action-plain": ("contrastive", plain, with_actions),
        "action-marginal": ("contrastive", replace(plain, marginal_actions=True), with_actions),
    }
    assert learned_by("contrastive-action") == ("contrastive", None, with_actions)
    assert {"all-noise", "action-plain", "action-marginal"} <= set(VARIANTS)


def test_seeds_for_development_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from benchmarks.irl.run import main

    monkeypatch.setattr(sys, "argv", ["irl.py", "--seeds", "3", "100", "--runs", str(tmp_path)])
    with pytest.raises(SystemExit):
        main()
    assert "add --development" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["hopper", "halfcheetah"])
def test_runners_hold_out_what_rewards_are_judged_on(name: str) -> None:
    from benchmarks.irl.run import make_world

    world = make_world(name, quick=True)
    world.seed = 3
    data, demos = world.data(3, 0)
    base, mixed = world.coverages()
    assert demos.n_episodes == 8
    assert mixed.store.n_episodes == base.store.n_episodes + 8
    assert base.store.n_episodes == (data.n_episodes + base.store.n_episodes) // 4
    learned_from = {demos.episode(i).act.tobytes() for i in range(8)}
    learned_from |= {data.episode(i).act.tobytes() for i in range(data.n_episodes)}
    judged = {mixed.store.episode(i).act.tobytes() for i in range(mixed.store.n_episodes)}
    assert not learned_from & judged
    assert not np.array_equal(world.data(4, 0)[1].rew[:1000], demos.rew[:1000])


def test_runners_are_normalized_by_the_scores_of_d4rl() -> None:
    from benchmarks.irl.locomotion import Locomotion

    hopper, cheetah = Locomotion("Hopper-v5"), Locomotion("HalfCheetah-v5")
    assert (hopper.normalized(-20.27), hopper.normalized(3234.3)) == (0.0, 1.0)
    assert cheetah.normalized(12135.0 / 2 - 280.18 / 2) == pytest.approx(0.5)


def test_a_reward_equal_to_the_recorded_one_up_to_scale_is_perfect() -> None:
    import torch
    from benchmarks.irl.run import make_world

    world = make_world("halfcheetah", quick=True)
    world.seed = 0
    mixed = world.coverages()[1].store
    after = np.delete(mixed.obs, np.cumsum(mixed.lengths + 1) - mixed.lengths - 1, axis=0)
    known = {row.tobytes(): paid for row, paid in zip(after, mixed.rew, strict=True)}

    def reward(obs: object, act: object, obs_next: torch.Tensor, terminated: object) -> torch.Tensor:
        return torch.tensor([2 * known[row.tobytes()] - 1 for row in obs_next.numpy()])

    found = world.judge_reward(reward, world.data(0, 0)[0])
    for metric in ("pearson", "spearman", "erc_pearson_mixed", "erc_spearman_base", "preference_mixed"):
        assert found[metric] == pytest.approx(1), metric
    assert found["pearson_distance"] == pytest.approx(0, abs=1e-3)


def test_variants_have_a_table_of_their_own_beside_what_they_vary(tmp_path: Path) -> None:
    from benchmarks.irl.report import report

    (tmp_path / "irl.md").write_text(
        "<!-- umaze -->\n<!-- end of umaze -->\n<!-- umaze variants -->\n<!-- end of umaze variants -->\n"
    )
    names = ("bc", "all-plain", "contrastive-all")
    rows = [["umaze", name, "0", "20", "success", str(place / 2)] for place, name in enumerate(names)]
    report(rows, tmp_path, main=("contrastive-all", "bc"), variants=("all-plain",))
    main, variants = (tmp_path / "irl.md").read_text().split("<!-- end of umaze -->")
    assert [line.split(" | ")[0] for line in main.splitlines()[3:]] == ["| contrastive-all", "| bc"]
    assert [line.split(" | ")[0] for line in variants.splitlines()[4:6]] == [
        "| contrastive-all",
        "| all-plain",
    ]


def test_what_runners_rewards_may_follow_is_told_of_every_step() -> None:
    from benchmarks.irl.runners import quantities, table

    from rlpriors.data.episodes import Episode, EpisodeStore

    def episode(length: int, speed: float) -> Episode:
        obs = np.stack([np.arange(length + 1.0), np.full(length + 1, speed)], 1)
        return Episode(obs, np.zeros((length, 1)), np.ones(length), *np.zeros((2, length), bool))

    found = quantities(EpisodeStore.from_episodes([episode(3, 1.0), episode(2, 5.0)]), speed=1)
    assert {name: value.tolist() for name, value in found.items()} == {
        "truth": [1.0] * 5,
        "speed": [1.0, 1.0, 1.0, 5.0, 5.0],
        "height": [0.0, 1.0, 2.0, 0.0, 1.0],
        "left": [2, 1, 0, 1, 0],
        "late": [0, 0, 0, 1, 1],
    }
    rows = [["hopper", "gail", str(seed), *[str(seed / 2)] * 5] for seed in (0, 1)]
    assert "| hopper | gail | 2 | 0.25 (0.00 to 0.50) |" in table(rows)


def test_methods_with_several_numbers_of_demonstrations_have_a_line_for_each() -> None:
    from benchmarks.irl.report import by_demonstrations

    scores = {
        "bc": {"20": {"success": [1.0]}},
        "contrastive": {"5": {"success": [0.5], "seconds": [3.0]}, "20": {"success": [1.0, 1.0]}},
    }
    assert by_demonstrations(scores).splitlines() == [
        "| method | demonstrations | seeds | success |",
        "| --- | ---: | ---: | ---: |",
        "| contrastive | 5 | 1 | 0.50 |",
        "| contrastive | 20 | 2 | 1.00 [1.00, 1.00] |",
    ]
