"""`rlpriors train-policy`: from a saved reward to a saved policy."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from benchmarks.own_data.demonstrations import record
from run_page import expected_rows, results_on_page
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tianshou.algorithm import SAC

from rlpriors.agents import load_policy
from rlpriors.checkpoint import CheckpointError, load_resume
from rlpriors.rewards import MLPReward, NormalizedReward, RewardSettings, load_reward
from rlpriors.scripts.main import main
from rlpriors.scripts.train_policy.run import make_changed_env, train_policy
from rlpriors.scripts.train_policy.settings import TrainPolicySettings
from rlpriors.training.rollout import evaluate_policy


@pytest.fixture
def tiny(tmp_path):
    """A reward for Pendulum that knows nothing, and a run of seconds."""
    folder = MLPReward(RewardSettings(obs_dim=3, act_dim=1)).save(tmp_path / "reward")
    return TrainPolicySettings(
        reward=folder,
        env="Pendulum-v1",
        env_steps=48,
        n_envs=2,
        random_steps=16,
        update_per_step=0.5,
        batch_size=8,
        hidden=(8,),
        max_episode_steps=6,
        n_episodes=3,
        checkpoint_every=16,
        device="cpu",
    )


@pytest.mark.parametrize("algorithm", ["auto", "td3", "ppo"])
def test_a_run_leaves_its_policy_and_numbers(tiny, tmp_path, algorithm, capsys):
    run = train_policy(replace(tiny, algorithm=algorithm), folder=tmp_path / "run")
    results = json.loads((run / "results.json").read_text())
    assert results["algorithm"] == ("sac" if algorithm == "auto" else algorithm)
    assert results["env_steps"] == 48
    assert results["trained"]["steps"] == 6
    assert results["trained"]["true_return"] < 0  # Pendulum pays at most 0
    assert results_on_page(run) == expected_rows(run)
    assert "learned return" in capsys.readouterr().out
    env = gym.make("Pendulum-v1", max_episode_steps=6)
    policy = load_policy(run / "policy", env.observation_space, env.action_space, device="cpu")
    episodes = evaluate_policy(policy, lambda: gym.make("Pendulum-v1", max_episode_steps=6), 3)
    assert np.abs(episodes.act).max() <= 2


def test_a_run_is_resumed_with_the_settings_it_began_with(tiny, tmp_path):
    run = train_policy(tiny, folder=tmp_path / "run")
    before = (run / "policy/model.safetensors").read_bytes()
    assert train_policy(tiny, folder=tmp_path / "run", resume=True) == run
    assert (run / "policy/model.safetensors").read_bytes() == before
    with pytest.raises(ValueError, match=r"lr 0\.001"):
        train_policy(replace(tiny, lr=0.1), folder=tmp_path / "run", resume=True)


def test_a_normalized_reward_is_published_at_rest_with_what_the_agent_was_paid(tiny, tmp_path, capsys):
    run = train_policy(replace(tiny, normalize=True), folder=tmp_path / "run")
    published = load_reward(run / "reward", device="cpu")
    assert isinstance(published, NormalizedReward)
    assert not published.updating
    assert published.count == 48  # all steps of learning, and none of the evaluations
    raw = load_reward(tiny.reward, device="cpu")
    rows = np.random.default_rng(0).normal(size=(9, 3)), np.zeros((9, 1)), np.zeros((9, 3))
    assert published.score(*rows) == pytest.approx(raw.score(*rows) / published.std.item(), rel=1e-5)
    assert "MLPReward of" in capsys.readouterr().out
    # Evaluation is in the reward's own size: the policy that knows nothing gets the same by either.
    plain = train_policy(tiny, folder=tmp_path / "plain")
    untrained, trained = (
        [json.loads((folder / "results.json").read_text())[when]["learned_return"] for folder in (run, plain)]
        for when in ("untrained", "trained")
    )
    assert untrained[0] == untrained[1]
    assert trained[0] != trained[1]
    assert not (plain / "reward").exists()


def test_the_environments_use_env_reward_can_be_learned_from(tiny, tmp_path):
    run = train_policy(replace(tiny, use_env_reward=True, algorithm="td3"), folder=tmp_path / "run")
    assert json.loads((run / "results.json").read_text())["trained"]["true_return"] < 0


def test_one_environment_alone_takes_several_steps_for_an_update(tiny, tmp_path):
    changes = {"n_envs": 1, "env_steps": 30, "update_per_step": 0.25}
    run = train_policy(replace(tiny, **changes), folder=tmp_path / "run")
    assert json.loads((run / "results.json").read_text())["env_steps"] == 32  # 16 random, then fours


def test_discrete_actions_get_dqn(tmp_path, tiny):
    folder = MLPReward(RewardSettings(obs_dim=4, act_dim=1, n_actions=2)).save(tmp_path / "cart")
    settings = replace(tiny, reward=folder, env="CartPole-v1")
    run = train_policy(settings, folder=tmp_path / "run")
    assert json.loads((run / "results.json").read_text())["algorithm"] == "dqn"


def test_an_environment_is_changed(tiny):
    settings = replace(
        tiny,
        env="PointMaze_UMaze-v3",
        start_cells=((1, 1),),
        goal_cells=((3, 1),),
        blocked_cells=((3, 3),),
        mass=2.0,
        env_args='{"maze_map": [[1,1,1,1,1],[1,0,0,0,1],[1,0,1,0,1],[1,0,0,0,1],[1,1,1,1,1]]}',
    )
    env = make_changed_env(settings.env, ("observation",), **settings.change_arguments())
    assert env.observation_space.shape == (4,)
    assert env.unwrapped.maze.maze_map[3] == [1, 0, 0, 1, 1]
    obs, _ = env.reset(seed=0)
    assert np.abs(obs[:2] - [-1, 1]).max() < 0.5


def test_rollouts_are_compared_with_given_demonstrations(tiny, tmp_path, capsys):
    env = gym.make("Pendulum-v1", max_episode_steps=6)
    demos = tmp_path / "demos.npz"
    record(demos, env, lambda obs: np.ones(1, np.float32), 5)
    run = train_policy(replace(tiny, demos=str(demos)), folder=tmp_path / "run")
    results = json.loads((run / "results.json").read_text())
    assert set(results["levels"]) == {"progress", "closeness", "rollouts", "drift"}
    assert results["levels"]["drift"] == "good"  # too few episodes
    assert "closeness" in capsys.readouterr().out
    page = (run / "report.md").read_text()
    assert "# Policy for Pendulum-v1" in page
    assert f'load_policy("{run}/policy"' in page
    assert (run / "figures/rollouts.png").exists()
    tags = EventAccumulator(str(run / "tensorboard/policy")).Reload().Tags()["scalars"]
    assert "diagnostics/demonstration_distance" in tags
    tags = EventAccumulator(str(run / "tensorboard/report")).Reload().Tags()
    assert {"report/drift", "report/rollouts"} <= set(tags["images"])
    tags = EventAccumulator(str(run / "tensorboard")).Reload().Tags()
    assert "summary/trained.true_return" in tags["scalars"]
    assert {"settings/text_summary", "custom_scalars__config__"} <= set(tags["tensors"])
    for source, message in ((str(tmp_path / "none.npz"), "--demos: There is no file"), ("", "--demos: ")):
        with pytest.raises(ValueError, match=message):
            train_policy(replace(tiny, demos=source), folder=tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"env": "NoSuch-v0"}, "`env` must be the id of an installed environment. Received 'NoSuch-v0'"),
        ({"env": "CartPole-v1"}, r"`reward` must fit observations of shape \(4,\)"),
        ({"blocked_cells": ((1, 1),)}, "`blocked_cells` are for mazes"),
        ({"mass": 2.0}, "`env` must be a MuJoCo environment"),
        ({"env_args": '{"color": 1}'}, "does not take the arguments"),
        ({"algorithm": "dqn"}, "`action_space` must be Discrete for 'dqn'"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_run_begins(tiny, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        train_policy(replace(tiny, **changes), folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_episodes": 0}, "`n_episodes` must be at least 1"),
        ({"seed": -1}, "`seed` must be at least 0"),
        ({"normalize": True, "use_env_reward": True}, "`normalize` is for the learned reward"),
        ({"env_args": "{"}, "`env_args` must be JSON"),
        ({"env_args": "[1]"}, "`env_args` must be a JSON object"),
        ({"max_episode_steps": 0}, "`max_episode_steps` must be at least 1"),
        ({"update_per_step": 0.01}, r"`update_per_step` must give .* for 48 steps; raise --update-per-step"),
        ({"update_per_step": float("nan")}, "`update_per_step` must be a finite number"),
        ({"update_per_step": 0.0}, "`update_per_step` must give at least one update"),
        ({"random_steps": -1}, r"`random_steps` must be at least 0\. Received -1"),
        ({"env_steps": 0}, r"`env_steps` must be at least 1\. Received 0"),
    ],
)
def test_settings_are_bounded(tiny, changes, message):
    with pytest.raises(ValueError, match=message):
        replace(tiny, **changes)


def test_a_folder_without_a_reward_is_refused(tiny, tmp_path):
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        train_policy(replace(tiny, reward=tmp_path / "nothing"))


def test_the_command_tells_errors_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(
        sys, "argv", ["rlpriors", "train-policy", "--reward", str(tmp_path), "--env", "Pendulum-v1"]
    )
    with pytest.raises(SystemExit, match=r"rlpriors: .*is not a checkpoint"):
        main()


# The command in a process of its own, which kills itself before an update: 4 after the checkpoint that 32
# of the 48 steps end with, of which 16 are random and each other earns half an update.
KILLED = """
import os, signal
from tianshou.algorithm import SAC
update, made = SAC._update_with_batch, []
def update_or_die(self, batch):
    made.append(1)
    if len(made) == 8 + 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return update(self, batch)
SAC._update_with_batch = update_or_die
from rlpriors.scripts.main import main
main()
"""


def test_killed_in_the_middle_it_resumes_to_the_end(tiny, tmp_path, monkeypatch):
    run, reward = tmp_path / "run", tiny.reward
    args = f"""train-policy --reward {reward} --env Pendulum-v1 --normalize --folder {run} --device cpu
        --env-steps 48 --n-envs 2 --random-steps 16 --update-per-step 0.5 --batch-size 8 --hidden 8
        --max-episode-steps 6 --n-episodes 3 --checkpoint-every 16""".split()
    died = subprocess.run([sys.executable, "-c", KILLED, *args], capture_output=True, text=True, timeout=100)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert load_resume(run / "policy.resume.pt")["env_steps"] == 32
    assert not (run / "results.json").exists()
    assert not (run / "policy").exists()

    time.sleep(1)  # TensorBoard orders the logs of two processes by the second that they began in
    made = []
    update = SAC._update_with_batch
    monkeypatch.setattr(SAC, "_update_with_batch", lambda self, batch: made.append(1) or update(self, batch))
    monkeypatch.setattr(sys, "argv", ["rlpriors", *args, "--resume"])
    main()
    assert len(made) == 8  # only those of the steps that were left
    assert json.loads((run / "results.json").read_text())["env_steps"] == 48
    assert load_resume(run / "policy.resume.pt")["env_steps"] == 48
    env = gym.make("Pendulum-v1")
    load_policy(run / "policy", env.observation_space, env.action_space, device="cpu")
    # The statistics went on from the 32 steps of the checkpoint; what came after it was done again.
    assert load_reward(run / "reward", device="cpu").count == 48
    events = EventAccumulator(str(run / "tensorboard" / "policy"), size_guidance={"scalars": 0}).Reload()
    steps = [point.step for point in events.Scalars("policy/learned_return")]
    assert steps == sorted(set(steps))
    # Both environments began anew at step 32: an episode ends at 44, and none at 36 as before the kill.
    assert max(steps) == 44
    assert 36 not in steps
    assert [path.name for path in tmp_path.iterdir() if "run" in path.name] == ["run"]


def test_help_teaches(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["rlpriors", "train-policy", "--help"])
    with pytest.raises(SystemExit):
        main()
    output = capsys.readouterr().out
    assert all(
        word in output
        for word in ("--reward", "--start-cells", "--mass", "--use-env-reward", "--normalize", "never shown")
    )
