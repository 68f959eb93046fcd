"""The main job at a tiny size, whole: what it leaves behind, and that being killed changes nothing."""

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import redirect_stdout
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from run_page import expected_rows, results_on_page
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rlpriors.envs.maze.point_maze import make_point_maze
from rlpriors.rewards import load_reward
from rlpriors.scripts.demo import run as demo
from rlpriors.scripts.main import main
from rlpriors.wrappers import LearnedReward

EPOCH, MAX_EPISODE_STEPS = 10, 150
TINY = (
    *("demo", "--seed", "3", "--device", "cpu", "--n-workers", "0", "--n-episodes", "2"),
    *("--data-episodes", "4", "--demonstrations", "3", "--prior-updates", "20", "--reward-updates", "20"),
    *("--checkpoint-every", str(EPOCH), "--agreement-updates", "10", "--held-out", "2"),
)

# The command in a process of its own, which kills itself before an update of one of the algorithms:
# in the midst of the second epoch, so that neither luck nor speed decides where.
KILLED = f"""
import os, signal
from rlpriors.agents import ALGORITHM
from rlpriors.scripts.demo import run as demo
demo.MAX_EPISODE_STEPS = {MAX_EPISODE_STEPS}
update = ALGORITHM._update_with_batch
def update_or_die(self, batch):
    if self.updates == {EPOCH + 5}:
        os.kill(os.getpid(), signal.SIGKILL)
    return update(self, batch)
ALGORITHM._update_with_batch = update_or_die
from rlpriors.scripts.main import main
main()
"""


def command(*args: str) -> str:
    """What `rlpriors` prints."""
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as printed:
        patch.setattr(sys, "argv", ["rlpriors", *args])
        patch.setattr(demo, "MAX_EPISODE_STEPS", MAX_EPISODE_STEPS)
        main()
    return printed.getvalue()


def killed(algorithm: str, *args: str) -> None:
    """Run `rlpriors` until it dies in the midst of an algorithm's training."""
    code = KILLED.replace("ALGORITHM", algorithm)
    died = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, timeout=100)
    assert died.returncode == -signal.SIGKILL, died.stderr


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Path, str]:
    """The folder of a run that nothing disturbed, and what it printed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    return folder, command(*TINY, "--folder", str(folder))


def results(run: Path) -> dict[str, Any]:
    content = json.loads((run / "results.json").read_text())
    assert content.pop("seconds") > 0
    return content


def log(run: Path, phase: str) -> EventAccumulator:
    return EventAccumulator(str(run / "tensorboard" / phase)).Reload()


# ---------------------------------------------------------------- what a run leaves


def test_it_says_what_it_does_and_ends_with_its_folder(finished) -> None:
    folder, printed = finished
    lines = printed.splitlines()
    assert lines[0] == "A reward from 3 demonstrations; it reads: observation."
    assert lines[-1] == str(folder)
    assert any("DiffusionIRL, best of N = 16" in line for line in lines)
    assert f'    env = LearnedReward(make_point_maze(), "{folder / "reward"}")' in lines


def test_results(finished) -> None:
    folder, _ = finished
    found = json.loads((folder / "results.json").read_text())
    rows = ("unguided", "guided", "best_of_16", "oracle")
    numbers = ["seed", "seconds", "spearman", "pearson", "epic", "coverage"]
    numbers += [f"{kind}_{row}" for kind in ("stay", "reach") for row in rows]
    assert set(numbers) <= set(found)
    assert all(np.isfinite(found[name]) for name in numbers)
    assert all(0 <= found[f"{kind}_{row}"] <= 1 for kind in ("stay", "reach") for row in rows)
    assert (found["seed"], found["reward_inputs"]) == (3, "observation")
    assert abs(found["spearman"]) <= 1
    assert 0 <= found["epic"] <= 1
    assert results_on_page(folder) == expected_rows(folder)


def test_the_reward_stands_alone(finished) -> None:
    folder = finished[0] / "reward"
    reward = load_reward(folder, device="cpu")
    assert (reward.obs_dim, reward.act_dim, reward.obs_keys) == (4, 2, ("observation",))
    env = LearnedReward(make_point_maze(), str(folder), device="cpu")  # the raw environment, of dictionaries
    before, _ = env.reset(seed=0)
    after, given, _, _, info = env.step(np.ones(2, np.float32))
    env.close()
    seen = (before["observation"], np.ones(2), after["observation"])
    assert given == pytest.approx(reward.score(*(part[None] for part in seen)).item())
    assert info["env_reward"] == 0.0
    # It reads the observation only, and all of it.
    other = [seen[0], -seen[1], seen[2]]
    assert given == pytest.approx(reward.score(*(part[None] for part in other)).item())
    faster = [seen[0] + [0, 0, 3, -3], seen[1], seen[2]]
    assert given != pytest.approx(reward.score(*(part[None] for part in faster)).item())


def test_pictures_and_logs(finished) -> None:
    folder, _ = finished
    for name in ("reward", "plans", "episodes"):
        picture = (folder / "figures" / f"{name}.png").read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert len(picture) > 10_000
    for phase, scalars in (
        ("prior", ["prior/loss"]),
        ("reward", ["reward/loss", "reward/reward_gap", "reward/gradient_penalty"]),
        (".", ["summary/stay_best_of_16", "summary/spearman"]),
    ):
        assert set(scalars) <= set(log(folder, phase).Tags()["scalars"])
    planners = {f"episodes_{name}" for name in ("unguided", "guided", "best_of_16", "oracle")}
    names = {"reward_learned", "reward_distance", "plans_prior", "plans_reward", "episodes_animated"}
    assert set(log(folder, "evaluation").Tags()["images"]) == {f"pictures/{n}" for n in names | planners}
    for name in ("reward", "plans"):  # before the training, and after each of its two checkpoints
        [film] = log(folder, "reward").Images(f"pictures/{name}_over_training")
        assert film.step == 20
        assert Image.open(BytesIO(film.encoded_image_string)).n_frames == 3


# ---------------------------------------------------------------- resuming


def test_killed_twice_and_resumed_equals_undisturbed(finished, tmp_path) -> None:
    whole, run = finished[0], tmp_path / "run"
    args = (*TINY, "--folder", str(run))
    killed("TrajectoryDiffusion", *args)
    assert (run / "prior.resume.pt").exists()
    assert not (run / "reward.resume.pt").exists()
    killed("DiffusionIRL", *args, "--resume")
    assert (run / "reward.resume.pt").exists()
    assert not (run / "reward").exists()
    assert not (run / "results.json").exists()

    assert command(*args, "--resume").splitlines()[-1] == str(run)
    for name in ("model.safetensors", "config.json"):
        assert (run / "reward" / name).read_bytes() == (whole / "reward" / name).read_bytes()
    assert results(run) == results(whole)
    for phase in ("prior", "reward"):
        one, two = ([(e.step, e.value) for e in log(r, phase).Scalars(f"{phase}/loss")] for r in (whole, run))
        assert one == two
        assert [step for step, _ in two] == list(range(1, 21))
    assert os.listdir(tmp_path) == ["run"]


def test_what_cannot_be_resumed_is_refused(finished, tmp_path) -> None:
    run = shutil.copytree(finished[0], tmp_path / "run")
    args = (*TINY, "--folder", str(run), "--resume")
    with pytest.raises(
        SystemExit, match=r"run was started with n_episodes 2 \(now 1\)\. Resume it with the se"
    ):
        command(*args, "--n-episodes", "1")
    (run / "prior.resume.pt").write_bytes(b"not what it was")
    with pytest.raises(SystemExit, match=r"^rlpriors: .*prior\.resume\.pt is damaged .* Delete it"):
        command(*args)
    shutil.rmtree(run)
    with pytest.raises(SystemExit, match="There is no run to resume in"):
        command(*args)
    assert not run.exists()


def test_a_second_run_leaves_the_first_alone(finished, tmp_path, monkeypatch) -> None:
    first = shutil.copytree(finished[0], tmp_path / "run")
    before = {path: path.read_bytes() for path in first.rglob("*") if path.is_file()}
    # Far enough to have written much of its own.
    stage = "rlpriors.training.reward_learning.demonstration_pipeline.check_support"
    monkeypatch.setattr(stage, lambda *args, **kwargs: sys.exit("stop here"))
    with pytest.raises(SystemExit, match="stop here"):
        command(*TINY, "--folder", str(first))
    assert (tmp_path / "run-2" / "prior.resume.pt").exists()
    assert {path: path.read_bytes() for path in first.rglob("*") if path.is_file()} == before
