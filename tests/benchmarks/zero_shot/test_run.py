"""The zero-shot benchmark at a tiny size: cells, learned rewards, the csv, normalized returns, the tables."""

import csv
from functools import partial

import numpy as np
import pytest
import torch
from benchmarks.zero_shot import learned_rewards, skill_planning, worlds
from benchmarks.zero_shot.report import normalized, plan_table, table
from benchmarks.zero_shot.run import main
from benchmarks.zero_shot.worlds import WORLDS, vector_env


@pytest.fixture
def few_episodes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in WORLDS:
        monkeypatch.setitem(worlds.N_EPISODES, name, 4)
    monkeypatch.setattr(learned_rewards, "N_DEMONSTRATIONS", 2)
    monkeypatch.setattr(learned_rewards, "N_PAIRS", 8)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "package"), [("fetch-reach", "gymnasium_robotics"), ("pointmaze-medium", "ogbench")]
)
def test_cells_are_evaluated_once_and_normalized(
    tmp_path, few_episodes, capsys, name: str, package: str
) -> None:
    pytest.importorskip(package)
    args = ["--envs", name, "--methods", "random-actions", "iql", "goal-cloning", "random", "--seeds", "0"]
    for budget in ("updates", "iql-updates", "prior-updates", "reward-updates"):
        args += [f"--{budget}", "4"]
    args += ["--n-episodes", "6", "--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "found.csv")]
    main(args)
    assert len(capsys.readouterr().out.splitlines()) == 4
    main(args)
    assert capsys.readouterr().out == ""
    with (tmp_path / "found.csv").open() as file:
        rows = list(csv.DictReader(file))
    tasks = {(row["features"], row["task"], row["metric"]) for row in rows}
    assert ("random", "goal", "success") in tasks
    assert ("goal-cloning", "goal", "success") in tasks
    assert ("goal-cloning", "reward:goal-distance", "return") not in tasks
    for reward in ("goal-distance", "other-end", "diffusion-irl", "preferences"):
        assert ("iql", f"reward:{reward}", "return") in tasks
        assert ("random", f"reward:{reward}", "return") in tasks
    assert ("random", "reward:preferences", "true_return") in tasks


# ---------------------------------------------------------------- worlds


def test_the_gripper_walks_between_places_and_to_the_goal() -> None:
    pytest.importorskip("gymnasium_robotics")
    world = WORLDS["fetch-reach"]()
    data = world.collect(2, seed=0)
    assert data.obs.shape == (2 * 51, 6)
    assert data.act.shape == (2 * 50, 3)
    assert not data.rew.any()
    demonstrations = world.demonstrations(1, seed=0).relabel(world.rewards()["goal-distance"])
    assert demonstrations.rew[0] < -1.3
    assert demonstrations.rew[-5:].mean() > -0.4  # within 4 cm, with noise on the actions
    starts, goals = world.trials(50, seed=0)
    assert world.far(starts, goals).tolist() == (np.linalg.norm(goals - starts, axis=1) >= 0.15).tolist()


def test_the_maze_is_that_of_ogbench() -> None:
    pytest.importorskip("ogbench")
    world = WORLDS["pointmaze-large"]()
    starts, _ = world.trials(30, seed=0)
    assert world.maze.is_free(world.centered(starts)).all()
    envs = vector_env(world, starts[:2])
    np.testing.assert_allclose(envs.reset(seed=5)[0], starts[:2], rtol=1e-6)
    envs.close()
    ends = np.tile(world.xy_of(world.layout.goal), (2, 1))
    assert world.far(np.stack([world.xy_of((1, 1)), ends[0]]), ends).tolist() == [True, False]
    reward = world.rewards()["goal-distance"]
    at = torch.from_numpy(np.stack([ends[0], ends[0] - [0, 2]])).float()
    none = torch.zeros(2, 2), torch.zeros(2, dtype=torch.bool)
    np.testing.assert_allclose(reward(at, none[0], at, none[1]), [0.0, -0.2], atol=0.03)
    walk = world.demonstrations(1, seed=0)
    assert np.linalg.norm(walk.obs[-1] - ends[0]) < world.radius


# ---------------------------------------------------------------- planning over skills


def test_both_planners_take_the_same_steps_of_the_environment(tmp_path, few_episodes, monkeypatch) -> None:
    pytest.importorskip("ogbench")
    steps = []
    step = skill_planning.SparseMaze.step
    monkeypatch.setattr(
        skill_planning.SparseMaze, "step", lambda self, act: steps.append(1) or step(self, act)
    )
    counts = {}
    for method in skill_planning.METHODS:
        steps.clear()
        args = ["--methods", method, "--seeds", "0", "--env-steps", "1280", "--updates", "2"]
        skill_planning.main([*args, "--runs", str(tmp_path), "--results", str(tmp_path / "found.csv")])
        counts[method] = len(steps)
    assert counts == {"ppo": 1280, "ppo-skills": 1280}
    rows = (tmp_path / "found.csv").read_text().splitlines()
    assert [row.rsplit(",", 1)[0] for row in rows[1:]] == [
        f"pointmaze-medium,{method},sparse,0,{metric}"
        for method in ("ppo", "ppo-skills")
        for metric in ("reached", "return")
    ]


# ---------------------------------------------------------------- tables


def row(name: str, task: str, value: str, metric: str = "return") -> list[str]:
    return ["maze", name, f"reward:{task}", "0", metric, value]


def test_returns_lie_between_random_actions_and_iql() -> None:
    values = {"hilp": "5", "iql": "9", "random-actions": "1"}
    rows = [row(name, "east", value) for name, value in values.items()]
    worse = [row(name, "west", value) for name, value in {**values, "iql": "0"}.items()]
    found = normalized([*rows, *worse])
    assert found == [["maze", "hilp", "reward:east", "0", "normalized", "0.5"]]
    goals = [["maze", "hilp", "goal", seed, "success", value] for seed, value in (("0", "0.5"), ("1", "1"))]
    lines = table([*goals, *found], "success").splitlines()
    assert lines[0] == "| environment, task (seeds) | hilp |"
    assert lines[2].startswith("| maze, goal (2) | 0.75")
    assert table([*goals, *found], "normalized").splitlines()[2] == "| maze, east (1) | 0.50 |"


def test_true_returns_of_a_learned_reward_are_compared_with_iql_on_the_true_one() -> None:
    true = [row("iql", "goal-distance", "10"), row("random-actions", "goal-distance", "0")]
    learned = partial(row, task="diffusion-irl", metric="true_return")
    rows = [
        *true,
        learned("hilp", value="4"),
        learned("iql", value="6"),
        learned("random-actions", value="0"),
    ]
    found = [r for r in normalized(rows) if r[4] == "true_normalized"]
    assert [(r[1], r[5]) for r in found] == [("hilp", "0.4"), ("iql", "0.6")]


def test_planners_have_a_table_of_their_own() -> None:
    rows = [
        ["maze", name, "sparse", seed, metric, value]
        for name, value in (("ppo", "0"), ("ppo-skills", "1"))
        for seed in ("0", "1")
        for metric in ("return", "reached")
    ]
    lines = plan_table(rows).splitlines()
    assert lines[2].startswith("| ppo | 2 | 0.00")
    assert lines[3].startswith("| ppo-skills | 2 | 1.00")
    assert normalized(rows) == []
