"""Base class of the vector wrappers: no class that only new versions of Gymnasium can subscript."""

import ast
from pathlib import Path

import gymnasium as gym
import numpy as np

import rlpriors
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
        if isinstance(base, ast.Subscript) and ast.unparse(base.value).split(".")[-1].startswith("Vector")
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
