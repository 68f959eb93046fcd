"""Constructors under test.

`constructor_targets`  a target for each class, and for each function that makes an object
`settings_targets`     a target for each settings dataclass
"""

from dataclasses import MISSING, fields, is_dataclass
from importlib import import_module
from typing import Any, get_type_hints

import gymnasium as gym
import numpy as np
import torch

from benchmarks.robustness.fuzz_inputs import (
    BOX,
    STATES,
    PixelEnv,
    Target,
    frames,
    make_encoder,
    make_mdp,
    make_reward,
    make_store,
    normal,
    quadratic,
    score,
    walk,
)
from rlpriors import agents, data, diffusion, encoders, envs, evaluation, networks, rewards, wrappers
from rlpriors.data.buffers import from_buffer, to_buffer

__all__ = ["constructor_targets", "settings_targets"]

PACKAGES = ("agents", "diffusion", "encoders", "evaluation", "representation", "rewards", "training.online")


def constructor_targets() -> list[Target]:
    """Return the targets."""
    r, d = rewards, diffusion

    def columns() -> dict[str, Any]:
        end = np.arange(12) % 4 == 3
        obs = normal(13, 3)
        rest = {"act": normal(12, 1), "rew": normal(12), "terminated": end}
        return {"obs": obs[:-1], "next_obs": obs[1:], **rest}

    def arrays() -> dict[str, Any]:
        return {name: value for name, value in vars(make_store(2)).items() if isinstance(value, np.ndarray)}

    def windows(store: data.EpisodeStore) -> Any:
        return store.windows(store.window_starts(2), 2)

    def algorithm() -> dict[str, Any]:
        settings = agents.AlgorithmSettings("sac", hidden=(4,))
        return {
            "observation_space": STATES,
            "action_space": BOX,
            "settings": settings,
            "device": "cpu",
            "seed": 0,
        }

    def wrap(**more: Any) -> dict[str, Any]:
        return {
            "env": gym.make("Pendulum-v1"),
            "reward": make_reward(),
            "device": "cpu",
            "scale": 1.0,
            **more,
        }

    def encode() -> dict[str, Any]:
        env = wrappers.PixelObservation(PixelEnv(), 36, 36)
        return {"env": env, "encoder": make_encoder(), "stack": 2, "device": "cpu", "layout": "HWC"}

    def vectors() -> gym.vector.VectorEnv[Any, Any, Any]:
        return gym.make_vec("Pendulum-v1", 2, vectorization_mode="sync")

    def cloning() -> dict[str, Any]:
        fixed = {"hidden": (4,), "loss": "mse", "deterministic": True}
        return {
            "action_space": BOX,
            "obs": data.Normalizer.identity(3),
            "act": data.Normalizer.identity(1),
            **fixed,
        }

    def layout() -> dict[str, Any]:
        return {"data": make_store(), "horizon": 2, "stride": 1}

    def network(module: Any) -> Any:
        return module(torch.randn(2, 4, 3), torch.zeros(2, dtype=torch.long))

    def load() -> dict[str, Any]:
        fixed = {"weights": "none", "device": "cpu", "readout": "mean", "resize": "squash", "seed": 0}
        return {"name": "nature-cnn", "input_size": (36, 36), **fixed}

    def diffuse() -> dict[str, Any]:
        process = d.DiffusionProcess(d.NoiseSchedule(8))
        denoiser = networks.build_denoiser("mlp", 4, 3)
        return {
            "process": process,
            "denoiser": denoiser,
            "x_start": torch.randn(2, 4, 3),
            "levels": (0.2, 0.4),
        }

    c = "constructor"
    return [
        Target(c, data.EpisodeStore.from_transitions, columns, windows, aliases=("horizon",)),
        Target(c, data.EpisodeStore, arrays, windows),
        Target(c, data.Normalizer.limits, lambda: {"x": normal(9, 3)}, lambda n: n(torch.zeros(2, 3))),
        Target(c, data.Normalizer.gaussian, lambda: {"x": normal(9, 3), "eps": 1e-6}),
        Target(c, data.Normalizer, lambda: {"loc": torch.randn(3), "scale": torch.rand(3) + 1}),
        Target(c, data.Normalizer.identity, lambda: {"dim": 3}),
        Target(c, to_buffer, lambda: {"store": make_store(), "seed": 0}, len),
        Target(c, from_buffer, lambda: {"buffer": to_buffer(make_store())}, windows),
        Target(c, make_store().windows, lambda: {"starts": np.arange(3), "horizon": 2, "stride": 1}),
        Target(
            c, make_store().window_starts, lambda: {"horizon": 2, "stride": 1, "pad": True, "max_start": 3}
        ),
        Target(c, make_store().subset, lambda: {"indices": [0, 2]}, windows),
        Target(c, make_store().relabel, lambda: {"reward": quadratic}, lambda store: store.rew),
        Target(
            c,
            make_store().offset_pairs,
            lambda: {"n": 4, "offset": (1, 3), "rng": np.random.default_rng(0)},
            accepts=("number",),
        ),
        Target(
            c,
            make_store().future_goals,
            lambda: {"steps": np.arange(3), "gamma": 0.5, "rng": np.random.default_rng(0)},
        ),
        Target(
            c,
            data.select_observation,
            lambda: {"obs": {"a": normal(3), "b": normal(2)}, "keys": ("a", "b")},
            np.shape,  # it passes values on, NaN included
        ),
        Target(
            c,
            data.observation_shape,
            lambda: {"space": gym.spaces.Dict({"a": BOX, "b": STATES}), "keys": ("a", "b")},
        ),
        Target(
            c,
            d.NoiseSchedule,
            lambda: {
                "num_train_timesteps": 8,
                "beta_schedule": "edm",
                "rho": 7.0,
                "sigma_range": (0.01, 9.0),
            },
        ),
        Target(
            c,
            d.DiffusionProcess,
            lambda: {"schedule": d.NoiseSchedule(8), "prediction_type": "sample", "sigma_data": 0.5},
        ),
        Target(c, d.denoising_residual, diffuse, may_be_empty=True),
        Target(c, networks.build_denoiser, lambda: {"name": "mlp", "horizon": 4, "dim": 3}, network),
        Target(
            c,
            r.MLPReward,
            lambda: {
                "settings": r.RewardSettings(3, 1, hidden=(4,)),
                "normalizer": data.Normalizer.identity(4),
            },
            score,
        ),
        Target(
            c,
            r.SumReward,
            lambda: {"terms": (make_reward(), make_reward()), "weights": (1.0, 0.5), "offset": 0.5},
            score,
        ),
        Target(c, r.EnsembleReward, lambda: {"members": (make_reward(), make_reward()), "k": 1.0}, score),
        Target(c, r.NormalizedReward, lambda: {"base": make_reward(), "center": True, "eps": 1e-6}, score),
        Target(c, r.ShapedReward, lambda: {"base": make_reward(), "gamma": 0.9, "hidden": (4,)}, score),
        Target(c, r.TrajectoryValue, lambda: {"settings": r.TrajectoryValueSettings(4, 3, (8,))}),
        Target(
            c,
            make_reward().score,
            lambda: {"obs": normal(5, 3), "act": normal(5, 1), "obs_next": normal(5, 3)},
        ),
        Target(c, agents.make_algorithm, algorithm),
        Target(c, agents.BehaviorCloningPolicy, cloning),
        Target(c, agents.RandomPolicy, lambda: {"action_space": BOX, "seed": 0}),
        Target(c, agents.TrajectoryLayout.fit, layout),
        Target(c, agents.CosineSchedule, lambda: {"n_updates": 10, "warm_up": 2, "final": 0.1}),
        Target(
            c,
            agents.original_recipe,
            lambda: {"task": "umaze", "horizon": 32, "dim": 6, "stride": 4, "n_levels": 10},
        ),
        Target(c, encoders.load_encoder, load, lambda encoder: encoder.encode(frames(2))),
        Target(c, make_encoder().encode, lambda: {"frames": frames(2)}, may_be_empty=True),
        Target(c, encoders.encoder_spec, lambda: {"name": "nature-cnn"}),
        Target(c, evaluation.FixedFeatures, lambda: {"size": (16, 16), "dim": 4, "seed": 0}),
        Target(c, evaluation.TabularMDP, lambda: dict(vars(make_mdp())), lambda mdp: mdp.optimal_policy()),
        Target(
            c,
            evaluation.Segmenter,
            lambda: {"encoder": make_encoder(), "n_classes": 3, "head": "linear", "seed": 0},
        ),
        Target(
            c,
            envs.make_env,
            lambda: {"env_id": "CartPole-v1", "max_episode_steps": 5},
            walk,
            aliases=("env",),
        ),
        Target(c, wrappers.LearnedReward, wrap, walk),
        Target(c, wrappers.VectorLearnedReward, lambda: wrap(env=vectors()), walk),
        Target(
            c,
            wrappers.PixelObservation,
            lambda: {"env": PixelEnv(), "height": 36, "width": 36, "fast": True},
            walk,
        ),
        Target(c, wrappers.EncodeObservation, encode, walk),
        Target(c, wrappers.FlatObservation, lambda: {"env": gym.make("Pendulum-v1")}, walk),
    ]


def settings_targets() -> list[Target]:
    """Return a target for each settings dataclass that has defaults, or sizes without defaults."""
    targets = []
    for module in PACKAGES:
        package = import_module(f"rlpriors.{module}")
        for name in package.__all__:
            cls = getattr(package, name)
            if isinstance(cls, type) and is_dataclass(cls) and name.endswith("Settings"):
                values = _defaults(cls)
                if values is not None:
                    targets.append(Target("settings", cls, lambda values=values: dict(values)))
    return targets


def _defaults(cls: Any) -> dict[str, Any] | None:
    hints, values = get_type_hints(cls), {}
    for field in fields(cls):
        if field.default is not MISSING:
            values[field.name] = field.default
        elif field.default_factory is not MISSING:
            values[field.name] = field.default_factory()
        elif hints[field.name] is int:
            values[field.name] = 8
        else:
            return None
    return values
