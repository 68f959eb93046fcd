"""Run folders that never write over each other, and training that leaves logs and checkpoints."""

import contextlib
import json
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tianshou.algorithm.optim import AdamOptimizerFactory

from rlpriors.agents import DiffuserPolicy, TrajectoryDiffusion, TrajectoryLayout
from rlpriors.checkpoint import CheckpointError, load_resume
from rlpriors.data import Episode, EpisodeStore
from rlpriors.data.buffers import to_buffer
from rlpriors.diffusion import DiffusionProcess, NoiseSchedule
from rlpriors.networks import build_denoiser
from rlpriors.training.offline import train_offline
from rlpriors.training.run_folder import create_or_resume_run, write_json


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    goal: tuple[float, float] = (1.0, 2.0)


# ---------------------------------------------------------------- folders


def test_a_new_run_never_writes_over_an_earlier_one(tmp_path) -> None:
    wanted = tmp_path / "deep" / "run"
    runs = [create_or_resume_run(wanted, Settings(seed), resume=False) for seed in range(3)]
    assert [run.name for run in runs] == ["run", "run-2", "run-3"]
    for seed, run in enumerate(runs):
        assert json.loads((run / "settings.json").read_text()) == {"seed": seed, "goal": [1.0, 2.0]}


def test_a_folder_of_other_content_is_left_alone(tmp_path) -> None:
    (tmp_path / "run").write_text("mine")
    assert create_or_resume_run(tmp_path / "run", Settings(), resume=False).name == "run-2"
    assert (tmp_path / "run").read_text() == "mine"


def test_the_latest_run_is_resumed(tmp_path) -> None:
    for _ in range(2):
        create_or_resume_run(tmp_path / "run", Settings(), resume=False)
    assert create_or_resume_run(tmp_path / "run", Settings(), resume=True) == tmp_path / "run-2"
    assert create_or_resume_run(tmp_path / "run-2", Settings(), resume=True) == tmp_path / "run-2"
    (tmp_path / "run-3").mkdir()  # one that was stopped before it had settings
    assert create_or_resume_run(tmp_path / "run", Settings(), resume=True) == tmp_path / "run-2"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "run-2", "run-3"]


def test_a_run_is_resumed_after_one_of_other_settings(tmp_path) -> None:
    for seed in (1, 2, 1, 3):
        create_or_resume_run(tmp_path / "run", Settings(seed), resume=False)
    found = [create_or_resume_run(tmp_path / "run", Settings(seed), resume=True).name for seed in (1, 2, 3)]
    assert found == ["run-3", "run-2", "run-4"]


def test_nothing_to_resume(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no run to resume in .*run\. Start it without --resume"):
        create_or_resume_run(tmp_path / "run", Settings(), resume=True)
    assert not list(tmp_path.iterdir())


def test_a_run_of_other_settings_is_not_resumed(tmp_path) -> None:
    run = create_or_resume_run(tmp_path / "run", Settings(seed=3), resume=False)
    output = f"{run} was started with seed 3 (now 4), goal [1.0, 2.0] (now [1.0, 0.0]). Resume it with the"
    with pytest.raises(ValueError, match=re.escape(output)):
        create_or_resume_run(run, Settings(seed=4, goal=(1.0, 0.0)), resume=True)


def test_json_is_for_people_too(tmp_path) -> None:
    write_json(tmp_path / "results.json", {"stay": 0.5, "names": ["a"]})
    assert (tmp_path / "results.json").read_text() == ('{\n  "stay": 0.5,\n  "names": [\n    "a"\n  ]\n}\n')
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


# ---------------------------------------------------------------- training

STEPS = np.arange(20) == 19
WALK = Episode(np.linspace(-1, 1, 21)[:, None], np.full((20, 1), 0.1), np.zeros(20), ~STEPS & STEPS, STEPS)
DATA = EpisodeStore.from_episodes([WALK])
EPOCH = 20


class Killed(Exception):
    """Stands for a kill."""


class Mortal(TrajectoryDiffusion):
    """Dies before the update `dies_at`."""

    dies_at = -1

    def _update_with_batch(self, batch):
        if self.updates == self.dies_at:
            raise Killed
        return super()._update_with_batch(batch)


def make_algorithm(width: int = 8) -> Mortal:
    layout = TrajectoryLayout.fit(DATA, horizon=8)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        denoiser = build_denoiser("mlp", horizon=8, dim=layout.dim, width=width, blocks=1)
    policy = DiffuserPolicy(
        denoiser=denoiser,
        process=DiffusionProcess(NoiseSchedule(10)),
        layout=layout,
        action_space=gym.spaces.Box(-1, 1, (1,)),
        device="cpu",
    )
    return Mortal(policy=policy, optim=AdamOptimizerFactory(lr=1e-2))


def run_training(
    folder: Path,
    n_updates: int = 3 * EPOCH,
    *,
    resume: bool = False,
    dies_at: int = -1,
    width: int = 8,
    data: EpisodeStore = DATA,
) -> Mortal:
    algorithm = make_algorithm(width)
    algorithm.dies_at = dies_at
    train_offline(
        algorithm,
        to_buffer(data),
        folder=folder,
        name="prior",
        n_updates=n_updates,
        batch_size=4,
        epoch_updates=EPOCH,
        resume=resume,
    )
    return algorithm


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows of a folder: steps and values of each tag."""
    log = EventAccumulator(str(folder))
    log.Reload()
    return {tag: [(e.step, e.value) for e in log.Scalars(tag)] for tag in log.Tags()["scalars"]}


def test_logs_and_checkpoints(tmp_path, capfd) -> None:
    algorithm = run_training(tmp_path)
    assert int(algorithm.updates) == 60
    logged = scalars(tmp_path / "tensorboard" / "prior")
    assert set(logged) == {"prior/loss", "speed/prior_update_ms"}
    assert [step for step, _ in logged["prior/loss"]] == list(range(1, 61))
    state = load_resume(tmp_path / "prior.resume.pt")
    assert state["algorithm"] == "Mortal"
    assert int(state["modules"]["updates"]) == 60
    shown = capfd.readouterr()
    assert "prior: 100%" in shown.err
    assert "60/60" in shown.err
    assert not shown.out


def test_a_checkpoint_every_epoch(tmp_path) -> None:
    for epoch in (1, 2):
        with pytest.raises(Killed):
            run_training(tmp_path, resume=epoch > 1, dies_at=epoch * EPOCH + 5)
        state = load_resume(tmp_path / "prior.resume.pt")
        assert int(state["modules"]["updates"]) == epoch * EPOCH
    assert sorted(path.name for path in tmp_path.iterdir()) == ["prior.resume.pt", "tensorboard"]


@pytest.mark.parametrize("dies_at", [EPOCH + 5, -1], ids=["unfinished", "finished"])
def test_other_data_do_not_resume(dies_at, tmp_path) -> None:
    with contextlib.suppress(Killed):
        run_training(tmp_path, dies_at=dies_at)
    with pytest.raises(CheckpointError, match=r"was trained with data '\w+' \(now '\w+'\).*without res"):
        run_training(tmp_path, resume=True, data=replace(DATA, obs=DATA.obs / 2))
    run_training(tmp_path, resume=True, data=replace(DATA, rew=np.ones(20)))  # windows hold no rewards


def test_other_settings_do_not_resume(tmp_path) -> None:
    state = run_training(tmp_path).resume_state()
    other = make_algorithm()
    other.max_start = 3
    with pytest.raises(CheckpointError, match=r"was trained with max_start None \(now 3\)"):
        other.resume(state)
    del state["inputs"]  # as in files of earlier versions
    make_algorithm().resume(state)


@pytest.mark.parametrize("dies_at", [EPOCH - 1, EPOCH, 2 * EPOCH + 15])
def test_a_resumed_run_equals_one_without_a_stop(dies_at, tmp_path) -> None:
    whole = run_training(tmp_path / "whole")
    with pytest.raises(Killed):
        run_training(tmp_path / "run", dies_at=dies_at)
    time.sleep(1.1)  # TensorBoard orders its files by the second, and within one not by their age
    resumed = run_training(tmp_path / "run", resume=True)
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert not isinstance(a, torch.Tensor) or torch.equal(a, b)
    # And so do its logs: each step once, and the same as if nothing had happened.
    one, two = (scalars(tmp_path / folder / "tensorboard" / "prior") for folder in ("whole", "run"))
    assert one["prior/loss"] == two["prior/loss"]
    for tag, values in two.items():
        steps = [step for step, _ in values]
        assert steps == sorted(set(steps)), tag


def test_a_finished_run_is_not_trained_further(tmp_path) -> None:
    whole = run_training(tmp_path)
    logs = sorted(tmp_path.rglob("events*"))
    again = run_training(tmp_path, resume=True, dies_at=60)
    assert int(again.updates) == 60
    weights = zip(whole.policy.state_dict().values(), again.policy.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in weights)
    assert sorted(tmp_path.rglob("events*")) == logs


def test_without_resume_a_checkpoint_does_not_matter(tmp_path) -> None:
    run_training(tmp_path, EPOCH)
    with pytest.raises(Killed):
        run_training(tmp_path, EPOCH, dies_at=0)


@pytest.mark.parametrize("n_updates", [0, 30])
def test_updates_are_whole_epochs(n_updates, tmp_path) -> None:
    output = f"`n_updates` must be a multiple of the 20 updates between checkpoints. Received {n_updates}."
    with pytest.raises(ValueError, match=re.escape(output)):
        run_training(tmp_path, n_updates)


def test_a_damaged_checkpoint_is_not_resumed(tmp_path) -> None:
    run_training(tmp_path, EPOCH)
    state = tmp_path / "prior.resume.pt"
    whole = state.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"nothing of ours", b""):
        state.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"prior\.resume\.pt is damaged .* Delete it and start"):
            run_training(tmp_path, resume=True)


def test_a_checkpoint_of_other_networks_is_not_resumed(tmp_path) -> None:
    run_training(tmp_path, EPOCH)
    with pytest.raises(CheckpointError, match="does not fit Mortal"):
        run_training(tmp_path, resume=True, width=9)
