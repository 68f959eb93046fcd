"""Environments of another kind: each wrapper names its twin."""

from typing import Any

import gymnasium as gym
import pytest
from drift_envs import DriftEnvs
from gymnasium.vector import SyncVectorEnv
from jaxtyping import config
from noise_env import NoiseEnv, small_encoder
from tianshou.env import DummyVectorEnv

from rlpriors.wrappers import EncodeObservation, LearnedReward, VectorEncodeObservation, VectorLearnedReward
from rlpriors.wrappers.tianshou import TianshouEncodeObservation, TianshouLearnedReward

ENVS = {
    "": NoiseEnv,
    "Vector": lambda: SyncVectorEnv([NoiseEnv]),
    "Tianshou": lambda: DummyVectorEnv([NoiseEnv]),
    "Tensor": DriftEnvs,
}
WRAPPERS = [
    EncodeObservation,
    VectorEncodeObservation,
    TianshouEncodeObservation,
    LearnedReward,
    VectorLearnedReward,
    TianshouLearnedReward,
]


@pytest.mark.parametrize("kind", ENVS)
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_another_kind_of_environment_names_the_twin(
    wrapper: Any, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "jaxtyping_disable", True)  # as users run it
    name = wrapper.__name__
    base = name.removeprefix("Vector").removeprefix("Tianshou")
    if name == kind + base:
        return
    with pytest.raises(TypeError, match=rf"env` of {name} must be .*; use {kind}{base}\."):
        wrapper(ENVS[kind](), small_encoder())


def test_other_objects_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "jaxtyping_disable", True)  # as users run it
    with pytest.raises(TypeError, match=r"must be an environment .gymnasium.Env.. Received a .*; convert it"):
        EncodeObservation(gym.Env, small_encoder())
