"""Equal encodings from the three wrappers and from an encoded data set."""

import gymnasium as gym
import numpy as np
import pytest
from tianshou.env import DummyVectorEnv

from rlpriors.encoders import load_encoder
from rlpriors.encoders.dataset.encode import encode_dataset
from rlpriors.wrappers import EncodeObservation, VectorEncodeObservation
from rlpriors.wrappers.tianshou.encode_observation import TianshouEncodeObservation

ale_py = pytest.importorskip("ale_py", reason="Atari comes with the extra `atari`")
ACTIONS = [1, 2, 3, 0]


def make() -> gym.Env:
    gym.register_envs(ale_py)
    return gym.make("ALE/Pong-v5", frameskip=4, repeat_action_probability=0.0)


@pytest.mark.parametrize("vectorized", [gym.vector.SyncVectorEnv, gym.vector.AsyncVectorEnv])
def test_single_vector_tianshou_and_offline_are_equal(vectorized, tmp_path) -> None:
    encoder = load_encoder("impala-cnn", weights="none", readout="grid(2)", input_size=(64, 64), device="cpu")
    raw = make()
    frames = [raw.reset(seed=3)[0], *(raw.step(action)[0] for action in ACTIONS)]
    offline = encode_dataset(np.stack(frames), encoder, tmp_path / "pong", dtype="float32", progress=False)

    env = EncodeObservation(make(), encoder)
    single = [env.reset(seed=3)[0], *(env.step(action)[0] for action in ACTIONS)]

    envs = VectorEncodeObservation(vectorized([make, make]), encoder)
    both = [envs.reset(seed=[3, 3])[0], *(envs.step(np.full(2, action))[0] for action in ACTIONS)]
    envs.close()

    venv = TianshouEncodeObservation(DummyVectorEnv([make, make]), encoder)
    collected = [venv.reset(seed=3)[0], *(venv.step(np.full(2, action))[0] for action in ACTIONS)]

    for row in range(2):
        np.testing.assert_allclose(np.stack(both)[:, row], np.stack(single), rtol=0, atol=1e-5)
    np.testing.assert_allclose(np.asarray(offline.features), np.stack(single), rtol=0, atol=1e-5)
    np.testing.assert_allclose(np.stack(collected)[:, 0], np.stack(single), rtol=0, atol=1e-5)
    assert np.ptp(np.stack(single), axis=0).max() > 1e-4  # the frames do differ
