"""Base class of the vector wrappers: type parameters in each version of Gymnasium, autoreset modes."""

import ast
import re
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from noise_env import NoiseEnv, small_encoder
from peer_envs import brightness

import rlpriors
from rlpriors.wrappers import VectorEncodeObservation, VectorLearnedReward
from rlpriors.wrappers.vector.generic_wrapper import GenericVectorWrapper

SOURCE = Path(rlpriors.__file__).parent
FOLDERS = [SOURCE, *(folder for folder in SOURCE.iterdir() if folder.is_symlink())]


def test_gymnasiums_vector_classes_are_not_subscripted_as_bases() -> None:
    # VectorWrapper and its subclasses accept no parameters at run time before Gymnasium 1.4.
    found = [
        f"{path}:{base.lineno}"
        for folder in FOLDERS
        for path in folder.resolve().rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        for base in node.bases
        if isinstance(base, ast.Subscript) and re.search(r"\bVector\w*Wrapper$", ast.unparse(base.value))
    ]
    assert found == []


def test_closing_after_an_error_in_the_constructor() -> None:
    class Failing(GenericVectorWrapper[np.ndarray, int, np.ndarray, int, np.ndarray]):
        def __init__(self, env: gym.vector.VectorEnv) -> None:
            raise ValueError

    Failing.__new__(Failing).close()
    envs = GenericVectorWrapper(gym.make_vec("CartPole-v1", num_envs=2))
    assert envs.reset(seed=0)[0].shape == (2, 4)
    envs.close()


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_the_outermost_wrapper_shows_the_autoreset_mode(mode: AutoresetMode) -> None:
    """Other libraries read the attribute that `SyncVectorEnv` has."""
    envs = SyncVectorEnv([NoiseEnv] * 2, autoreset_mode=mode)
    encoded = VectorEncodeObservation(envs, small_encoder())
    rewarded = VectorLearnedReward(encoded, brightness, device="cpu")
    assert envs.autoreset_mode is encoded.autoreset_mode is rewarded.autoreset_mode is mode
    # The mode is that of the environments, also where another environment has changed shared metadata.
    envs.metadata["autoreset_mode"] = next(other for other in AutoresetMode if other is not mode)
    assert rewarded.autoreset_mode is rewarded.autoreset.mode is mode
    rewarded.close()
