"""Faults that the fuzz campaign found: each call must be refused with the argument's name."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from benchmarks.robustness.fuzz import fuzz_function
from benchmarks.robustness.fuzz_inputs import (
    BOX,
    STATES,
    PixelEnv,
    Target,
    linear,
    make_mdp,
    make_reward,
    make_store,
    make_transitions,
    quadratic,
    takes_number,
)
from benchmarks.robustness.fuzz_values import hostile_value

from rlpriors import agents, data, diffusion, envs, evaluation, networks, rewards, wrappers
from rlpriors.data.buffers import to_buffer

pytestmark = pytest.mark.usefixtures("without_type_checks")
ROWS = np.arange(20)
X = np.random.default_rng(0).normal(size=(20, 2))


def mdp(**changes: Any) -> Any:
    return evaluation.TabularMDP(**(vars(make_mdp()) | changes))


def residual(x_start: torch.Tensor, levels: Any = (0.5,)) -> Any:
    process = diffusion.DiffusionProcess(diffusion.NoiseSchedule(8))
    return diffusion.denoising_residual(process, networks.build_denoiser("mlp", 4, 3), x_start, levels=levels)


def compare(function: Any, **changes: Any) -> Any:
    samples: dict[str, Any] = (
        {"canonical_obs": torch.randn(8, 3)} if function is evaluation.epic_distance else {}
    )
    samples |= {"canonical_act": torch.randn(8, 1)}
    samples |= {} if function is evaluation.epic_distance else {"sample_next": lambda obs, act: obs + act}
    valid = {"reward_a": quadratic, "reward_b": linear, "transitions": make_transitions(), "gamma": 0.9}
    return function(**(valid | samples | changes))


def mismatched() -> Any:
    valid = make_transitions()
    return valid._replace(obs=valid.obs[:-1])


def unread_nan() -> Any:
    valid = make_transitions()
    obs_next = valid.obs_next.clone()
    obs_next[3, 1] = math.nan
    return valid._replace(obs_next=obs_next)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: diffusion.NoiseSchedule("8"), "`num_train_timesteps` must be an integer"),
        (lambda: diffusion.NoiseSchedule(2**40), "`num_train_timesteps` must be at most 1000000"),
        (lambda: diffusion.NoiseSchedule(8, sigma_range=(1.0,)), "`sigma_range` must be"),
        (lambda: diffusion.NoiseSchedule(8, rho="7"), "`rho` must be a finite number"),
        (lambda: residual(torch.full((2, 4, 3), math.inf)), "`x_start` must be finite. Received 24"),
        (lambda: residual(torch.zeros(2, 4, 3), (1.5,)), r"`levels` must be .* in \[0, 1\]"),
        (lambda: rewards.SumReward([make_reward()], 1.0), "`weights` must be a tuple of finite"),
        (lambda: rewards.SumReward([make_reward()], [True]), "`weights` must be a tuple of finite"),
        (lambda: rewards.SumReward([make_reward()], [1.0], True), "`offset` must be a finite number"),
        (lambda: rewards.SumReward(None, [1.0]), "`terms` must be a sequence of rewards"),
        (lambda: rewards.SumReward([make_reward()], [1e308]), "`weights` must be finite, at most 1e.30"),
        (lambda: rewards.SumReward([make_reward()], [1.0], 1e308), "`offset` must be finite, at most 1e.30"),
        (lambda: 1e20 * (1e20 * make_reward()), "`weights` must be finite, at most 1e.30"),
        (lambda: rewards.EnsembleReward([make_reward()], 1e308), "`k` must be finite, at most 1e.30"),
        (lambda: make_reward().score([[1.0], [1.0, 2.0]], X, X), "`obs` must be an array of numbers"),
        (
            lambda: make_reward().score(np.ones((2, 3)), np.ones((2, 1)), np.ones((2, 3)), [0, math.nan]),
            "`terminated` must hold booleans",
        ),
        (lambda: networks.build_denoiser("mlp", 2**62, 3), "`horizon`, `dim` must be smaller"),
        (lambda: networks.build_denoiser("unet", 4, 2**62), "`horizon`, `dim` must be smaller"),
        (lambda: networks.build_denoiser("mlp", 4, 3, width=2**40), "`width` must be smaller"),
        (
            lambda: agents.make_algorithm(
                STATES, BOX, agents.AlgorithmSettings("sac", hidden=(2**62,)), device="cpu"
            ),
            "`hidden` must be smaller",
        ),
        (
            lambda: wrappers.LearnedReward(gym.make("Pendulum-v1"), dict),
            "`reward` must be .* Received .*dict",
        ),
        (lambda: make_store().subset([0, True]), "`indices` must be .* booleans among"),
        (
            lambda: dataclasses.replace(make_store(), truncated=[[1.0], [1, 2]]),
            "`truncated` must be an array",
        ),
        (lambda: data.select_observation(None), "`obs` must be an array of numbers. Received None"),
        (lambda: data.select_observation({"a": "x"}), "`obs` must be an array of numbers. Received 'x'"),
        (lambda: data.observation_shape(gym.spaces.Text(3)), "`space` of observations must be Box"),
        (
            lambda: evaluation.downsample(np.full((1, 4, 4, 3), 256)),
            r"`frames` must hold integers in 0\.\.255",
        ),
        (
            lambda: compare(evaluation.epic_distance, canonical_obs=torch.full((8, 3), math.nan)),
            "`canonical_obs` must be finite. Received 24",
        ),
        (
            lambda: compare(evaluation.dard_distance, canonical_act=torch.full((8, 1), math.inf)),
            "`canonical_act` must be finite. Received 8",
        ),
        (
            lambda: compare(evaluation.epic_distance, transitions=unread_nan()),
            "`transitions.obs_next` must be finite. Received 1",
        ),
        (lambda: rewards.EnsembleReward(3), "`members` must be a sequence of rewards"),
        (lambda: agents.CosineSchedule(10, None), "`warm_up` must be an integer"),
        (lambda: agents.CosineSchedule(10, final="1"), "`final` must be a finite number"),
        (lambda: data.observation_shape(gym.spaces.Dict({"a": BOX}), 3), "`keys` must be a sequence"),
        (lambda: data.Normalizer.identity(2**62), "`dim` must be below"),
        (lambda: data.Normalizer.gaussian(np.array([[1e300], [2.0]])), "`x` must be finite"),
        (lambda: to_buffer(make_store(), seed=-1), "`seed` must be at least 0. Received -1"),
        (lambda: to_buffer(make_store(), seed=2**32), r"`seed` must be in 0\.\."),
        (lambda: evaluation.domain_auc(X, X + 1, seed=2**32), r"`seed` must be below 2\*\*32"),
        (lambda: make_store().windows(np.arange(2), 2**62), "`horizon` and `stride` must be at most"),
        (lambda: networks.build_denoiser(["mlp"], 4, 3), "`name` must be a string"),
        (lambda: agents.TrajectoryLayout.fit(3, 2), "`data` must be"),
        (lambda: agents.TrajectoryLayout.fit(make_store(), None), "`horizon` must be an integer"),
        (lambda: wrappers.PixelObservation(PixelEnv(), None, 8), "`height` must be an integer"),
        (lambda: wrappers.PixelObservation(PixelEnv(), 8, 2**62), "`height` and `width` must be below"),
        (lambda: wrappers.PixelObservation(PixelEnv(), 8, 8, fast=[None]), "`fast` must be True or False"),
        (
            lambda: wrappers.LearnedReward(gym.make("Pendulum-v1"), make_reward(), scale=True),
            "`scale` must be a finite number",
        ),
        (
            lambda: make_store().relabel(lambda obs, *rest: obs[:, 0] * math.nan),
            "`reward` must return finite numbers. `rew` must be finite. Received nan at step 0",
        ),
        (
            lambda: evaluation.behavior_labels({"rew": np.ones(3)}, np.array([3, -1])),
            "`lengths` must be at least 0. Received -1",
        ),
        (lambda: envs.make_env("CartPole-v1", max_episode_steps=10**400), "`max_episode_steps` must be an"),
        (lambda: envs.make_env("CartPole-v1", max_episode_steps=0), "`max_episode_steps` must be at least 1"),
        (lambda: mdp(transition={1: 2}), "`transition` must be an array of numbers"),
        (lambda: mdp(start=None), "`start` must be"),
        (lambda: mdp(gamma="0.9"), "`gamma` must be a finite number"),
        (lambda: evaluation.normalized_return(make_mdp(), np.full((3, 2), 0.5)), "`policy` must have the"),
        (
            lambda: evaluation.reward_table(lambda *x: 1.0, X, X),
            "`reward` must return one number .* Received float; return a tensor",
        ),
        (lambda: evaluation.reward_table(quadratic, X[:0], X), "`obs` must hold at least one row"),
        (lambda: evaluation.pearson_distance(X[:, :1], X[:, 0]), "`a` must have 1 dimension"),
        (lambda: evaluation.return_agreement(X[:, 0] * np.nan, X[:, 0]), "`learned` must be finite"),
        (lambda: evaluation.return_agreement(X[:, 0], np.zeros(20)), "`true` must vary"),
        (lambda: evaluation.preference_accuracy(X, X[:, 0]), "`learned` must have 1 dimension"),
        (lambda: evaluation.frechet_distance(X, 1e300 * X), "`b` must hold numbers of at most 1e"),
        (lambda: evaluation.downsample(np.zeros((1, 4, 4, 3), np.uint8), (2**62, 2)), "`size` must be below"),
        (lambda: evaluation.rankme(X, eps=-1.0), "`eps` must be at least 0"),
        (lambda: evaluation.ridge_r2(X, X, ROWS[:, None], ROWS, ROWS), "`train` must have 1 dimension"),
        (lambda: evaluation.ridge_r2(X, X, ROWS, ROWS, ROWS, (1e308,)), "`alphas` must be at most"),
        (lambda: evaluation.ridge_r2(X, X, ROWS / 2, ROWS, ROWS), "`train` must hold integers"),
        (lambda: evaluation.ridge_r2(X, 1e300 * X, ROWS, ROWS, ROWS), "`targets` must hold numbers of at"),
        (
            lambda: evaluation.segmentation_scores(np.zeros((1, 2, 2), np.uint8), np.full((1, 2, 2), 0.5), 2),
            "`truth` must hold integers",
        ),
        (
            lambda: evaluation.paired_difference(X[:1], X, np.random.default_rng(0)),
            "`scores_a` must hold at least 2 runs",
        ),
        (
            lambda: evaluation.bootstrap_interval(X, np.random.default_rng(0), n_resamples=2**62),
            "`n_resamples` at least 1, at most",
        ),
        (
            lambda: compare(evaluation.epic_distance, reward_b=lambda *x: 1.0),
            "`reward_b` must return one number",
        ),
        (lambda: compare(evaluation.dard_distance, reward_a=lambda *x: "x"), "`reward_a` must return one"),
        (
            lambda: compare(evaluation.dard_distance, sample_next=lambda *x: None),
            "`sample_next` must return one .* Received NoneType",
        ),
        (lambda: compare(evaluation.epic_distance, transitions=mismatched()), "`transitions` must have"),
        (lambda: compare(evaluation.dard_distance, transitions=mismatched()), "`transitions` must have"),
        (
            lambda: compare(evaluation.epic_distance, transitions=make_transitions()._replace(act=None)),
            "`transitions.act` must be a tensor",
        ),
        (
            lambda: evaluation.make_trajectory_sets(make_store(6), make_store(6), 4, seed=0, noise=1e308),
            r"`noise` in \[0, 1e6\]",
        ),
    ],
)
def test_refused_by_name(call: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_a_saved_sum_with_text_for_settings(tmp_path: Path) -> None:
    rewards.SumReward([make_reward()], [1.0]).save(tmp_path)
    file = tmp_path / "config.json"
    content = json.loads(file.read_text())
    content["settings"]["terms"][0]["settings"] = "http://127.0.0.1:9/x"
    file.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f"{tmp_path.name}.*settings"):
        rewards.load_reward(tmp_path, "cpu")


def test_a_file_of_episodes_with_nan_is_named(tmp_path: Path) -> None:
    store = make_store()
    store.obs[0, 0] = math.nan
    store.save(tmp_path / "store.npz")
    with pytest.raises(
        ValueError, match=r"store\.npz must be a file of valid episodes. `obs` must be finite"
    ):
        data.EpisodeStore.load(tmp_path / "store.npz")


def test_sequences_of_named_tuples_have_hostile_values() -> None:
    rng, valid = np.random.default_rng(0), make_transitions()
    values = [hostile_value(valid, rng, False) for _ in range(100)]
    assert {type(hostile.value) for hostile in values} >= {type(valid), tuple}
    assert {"empty", "shorter", "longer"} <= {hostile.name for hostile in values}


def test_numbers_and_texts_may_replace_none() -> None:
    rng = np.random.default_rng(0)
    values = [hostile_value(None, rng, True) for _ in range(100)]
    refused = {hostile.name for hostile in values if hostile.refused}
    assert refused == {"nan", "object", "dict", "bytes", "list of None"}
    assert {"number", "text"} <= {hostile.name for hostile in values} - refused


def test_annotations_that_take_numbers() -> None:
    assert takes_number(agents.AlgorithmSettings, "alpha")
    assert not takes_number(networks.build_denoiser, "name")


def test_targets_may_accept_values_and_name_arguments_otherwise() -> None:
    def unchecked(size: int) -> float:
        return 1.0

    def renamed(size: int) -> float:
        raise ValueError("`width` must be less")

    def outcomes(target: Target) -> set[str]:
        rng = np.random.default_rng(0)
        return {fuzz_function(target, rng)[2] for _ in range(150)}

    everything = ("nan", "inf", "text", "fraction", "huge", "bool", "object", "dict", "bytes")
    everything += ("list of None", "None")
    plain: dict[str, Any] = {"kind": "evaluation", "arguments": lambda: {"size": 2}}
    assert "wrong value accepted" in outcomes(Target(function=unchecked, **plain))
    assert outcomes(Target(function=unchecked, accepts=everything, **plain)) == {"accepted"}
    assert outcomes(Target(function=renamed, **plain)) == {"unnamed refusal"}
    assert outcomes(Target(function=renamed, aliases=("width",), **plain)) == {"refused"}
