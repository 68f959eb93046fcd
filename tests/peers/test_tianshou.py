"""Tianshou's `ExperimentBuilder`: the environment factory of the page, and the contents of its buffers."""

from pathlib import Path
from typing import Any

import numpy as np
import page_blocks
import pytest
from few_images import FEW
from noise_env import NoiseEnv, alone, small_encoder
from peer_envs import brightness

pytest.importorskip("rliable", reason="rliable is not installed: `make test-peers`")

from tianshou.highlevel.config import OffPolicyTrainingConfig
from tianshou.highlevel.env import EnvFactoryRegistered, VectorEnvType
from tianshou.highlevel.experiment import DQNExperimentBuilder, ExperimentConfig

pytestmark = pytest.mark.peers

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "with_tianshou.md"
TASK, N = "few_images:FewImages-v0", 2


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """Names of the page, whose factory then uses the encoder and the reward of the tests."""
    return page_blocks.run_blocks(PAGE)


def train(factory: EnvFactoryRegistered) -> Any:
    training = OffPolicyTrainingConfig(
        max_epochs=1,
        epoch_num_steps=40,
        num_training_envs=N,
        num_test_envs=1,
        buffer_size=100,
        batch_size=16,
        collection_step_num_env_steps=10,
    )
    config = ExperimentConfig(seed=0, device="cpu", watch=False, persistence_enabled=False)
    builder = DQNExperimentBuilder(factory, config, training).with_model_factory_default(hidden_sizes=(8,))
    return builder.build().run()


@pytest.mark.parametrize("kind", [VectorEnvType.DUMMY, VectorEnvType.SUBPROC])
def test_buffers_hold_encodings_and_learned_rewards(page: dict[str, Any], kind: VectorEnvType) -> None:
    factory_class = page["EncodedEnvFactory"]
    encoder = small_encoder()
    factory_class.create_venv.__globals__.update(encoder=encoder, change=brightness)
    result = train(factory_class(task=TASK, venv_type=kind))
    buffer = result.world.training_collector.buffer
    rows = buffer[buffer.sample_indices(0)]
    assert len(rows) == 40
    # An observation is a stack of two encodings, each of one of the few images.
    shape = NoiseEnv().observation_space.shape
    images = [np.random.default_rng(k).integers(0, 256, shape, np.uint8) for k in range(FEW)]
    known = np.stack([alone(encoder, image) for image in images])

    def index(z: np.ndarray) -> np.ndarray:
        distances = np.abs(z[:, None] - known).max(-1)
        assert (distances.min(1) < 1e-4).all()
        return distances.argmin(1)

    before, after = (np.split(obs, 2, axis=1) for obs in (rows.obs, rows.obs_next))
    assert len(set(index(before[1]))) == FEW
    np.testing.assert_array_equal(index(after[0]), index(before[1]))
    index(after[1])  # final observations are encoded too
    assert rows.done.sum() >= 4
    expected = brightness(rows.obs, rows.act[:, None], rows.obs_next, rows.terminated)
    np.testing.assert_allclose(rows.rew, expected, rtol=1e-4, atol=1e-4)
    assert (rows.info["env_reward"] == 1).all()
    # Test returns are the environment's own: one per step.
    stats = result.world.test_collector.collect(n_episode=3, reset_before_collect=True)
    np.testing.assert_array_equal(stats.returns, stats.lens)


def test_networks_need_the_spaces_of_the_wrapper(page: dict[str, Any]) -> None:
    """A factory without `create_envs` builds networks for images."""
    factory_class = page["EncodedEnvFactory"]

    class Incomplete(factory_class):
        create_envs = EnvFactoryRegistered.create_envs

    factory_class.create_venv.__globals__.update(encoder=small_encoder(), change=brightness)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        train(Incomplete(task=TASK, venv_type=VectorEnvType.DUMMY))
