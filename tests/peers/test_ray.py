"""Ray: environments of a cluster of two nodes, under both Tianshou wrappers and a collector."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import noise_env
import numpy as np
import page_blocks
import pytest
from noise_env import NoiseEnv, assert_close, small_encoder
from peer_envs import brightness

pytest.importorskip("ray", reason="Ray is not installed: `make test-peers`")

import ray
from ray.cluster_utils import Cluster
from tianshou.algorithm.algorithm_base import Policy
from tianshou.data import Batch, Collector, VectorReplayBuffer
from tianshou.env import BaseVectorEnv, DummyVectorEnv, RayVectorEnv

from rlpriors.wrappers.tianshou import TianshouEncodeObservation, TianshouLearnedReward

pytestmark = [pytest.mark.peers, pytest.mark.slow]  # each actor imports torch

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "with_ray.md"
N = 2


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Start two nodes with one CPU each, as two machines have them."""
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes.add_node(num_cpus=1)
    ray.init(address=nodes.address, log_to_driver=False)
    ray.cloudpickle.register_pickle_by_value(noise_env)  # workers do not find the toys
    yield
    ray.cloudpickle.unregister_pickle_by_value(noise_env)
    ray.shutdown()
    nodes.shutdown()


class Alternate(Policy):
    def forward(self, batch: Any, state: Any = None, **kwargs: Any) -> Batch:
        return Batch(act=np.arange(len(batch.obs)) % 2, state=state)


def collect(kind: Callable[..., BaseVectorEnv]) -> VectorReplayBuffer:
    """Collect 24 steps of noise images."""
    venv = kind([NoiseEnv] * N)
    if kind is RayVectorEnv:
        check_processes(venv)
    venv = TianshouLearnedReward(
        TianshouEncodeObservation(venv, small_encoder(), stack=2), brightness, device="cpu"
    )
    buffer = VectorReplayBuffer(100, N)
    collector = Collector(Alternate(action_space=gym.spaces.Discrete(2)), venv, buffer)
    venv.seed([3, 4])
    collector.reset()
    collector.collect(n_step=24)
    venv.close()
    return buffer


def check_processes(venv: BaseVectorEnv) -> None:
    """Check that each environment has a process of its own, on a node of the cluster."""
    calls = [
        worker.env.__ray_call__.remote(lambda env: (ray.get_runtime_context().get_node_id(), os.getpid()))
        for worker in venv.workers
    ]
    found = ray.get(calls)
    assert {node for node, _ in found} <= {node["NodeID"] for node in ray.nodes()}
    assert len({os.getpid(), *(pid for _, pid in found)}) == N + 1


def test_a_collector_over_both_wrappers(cluster: None) -> None:
    """Environments of actors give the transitions of environments of this process."""
    buffer, expected = collect(RayVectorEnv), collect(DummyVectorEnv)
    assert len(buffer) == 24
    assert buffer.obs.shape == (100, 1024)
    for name in ("obs", "obs_next", "rew", "act", "terminated", "truncated"):
        assert_close(getattr(buffer, name), getattr(expected, name))
    rows = buffer[buffer.sample_indices(0)]
    assert rows.done.sum() >= 3
    rew = brightness(rows.obs, rows.act[:, None], rows.obs_next, rows.terminated)
    assert_close(rows.rew, rew)
    assert (rows.info["env_reward"] == 1).all()


def test_the_blocks_of_the_page_run(cluster: None) -> None:
    names = page_blocks.run_blocks(PAGE)
    assert len(names["buffer"]) == 40
    assert len(ray.nodes()) == N
