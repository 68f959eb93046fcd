"""FetchPush of the policy benchmark: the controller, its demonstrations and the evaluation."""

import numpy as np
import pytest
from tianshou.data import Batch

pytest.importorskip("gymnasium_robotics")

from benchmarks.policies.pushing import BLOCK, PUSHES, PushBlock, make_push
from tianshou.algorithm.algorithm_base import Policy

from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.envs.rollout import rollout

BLOCK_AT, GOAL = np.zeros(3), np.array([0.3, 0.0, 0.0])


class Still(Policy):
    """Policy that never moves, and records the number of its goals."""

    def __init__(self) -> None:
        super().__init__(
            action_space=make_push().action_space, action_scaling=False, action_bound_method=None
        )
        self.seen: list[int] = []

    def toward(self, goals):
        """Return this policy."""
        self.seen.append(len(goals))
        return self

    def forward(self, batch, state=None, **kwargs):
        return Batch(act=np.zeros((len(batch.obs), 4), np.float32), state=None)


def test_the_controller_by_hand() -> None:
    # Behind the block: gap 0.075 - 0.045, a step of min(0.04, 0.15 * 0.3 + 0.01) + 0.3 * 0.03 = 0.049.
    behind = PushBlock()
    np.testing.assert_allclose(
        behind.act(np.array([-0.075, 0, 0]), BLOCK_AT, GOAL), [0.98, 0, 0, 0], atol=1e-6
    )
    assert behind.phase == "push"
    # In front of the block it rises first, straight up.
    before = PushBlock()
    np.testing.assert_allclose(before.act(np.array([0.1, 0, 0]), BLOCK_AT, GOAL), [0, 0, 1, 0])
    assert before.phase == "approach"
    # A gripper that leaves the line to the goal starts again.
    behind.act(np.array([-0.075, 0.04, 0]), BLOCK_AT, GOAL)
    assert behind.phase == "approach"
    assert not behind.act(np.zeros(3), GOAL, GOAL).any()


def test_demonstrations_end_at_the_goal() -> None:
    episodes = list(rollout(make_push, PushBlock, 5, seed=0))
    assert sum(episode.rew[-1] == 0 for episode in episodes) >= 4  # -1 where the block is not at the goal
    env = make_push()
    whole, _ = env.unwrapped.reset(seed=0)
    np.testing.assert_allclose(env.reset(seed=0)[0][:2], whole["observation"][list(BLOCK)], rtol=1e-6)


def test_shown_success_is_that_of_the_rewards() -> None:
    flags = np.zeros(3, bool), np.array([False, False, True])
    rewards = [-1, 0, 0], [-1, 0, -1], [-1, -1, -1]
    episodes = [Episode(np.zeros((4, 2)), np.zeros((3, 4)), np.array(rew), *flags) for rew in rewards]
    found = PUSHES["fetchpush"].shown(EpisodeStore.from_episodes(episodes))
    assert found == {"success": pytest.approx(1 / 3), "success-any": pytest.approx(2 / 3)}


def test_the_block_of_a_still_arm_stays_where_it_is() -> None:
    world, policy = PUSHES["fetchpush"], Still()
    far = np.full((12, 2), 9.0, np.float32)
    found = world.evaluate(policy.toward, far, seed=0)
    assert policy.seen == [10, 2]
    assert (found["success"], found["success-any"]) == (0, 0)
    goals = world.goals(3, seed=0)
    assert len(np.unique(goals, axis=0)) == 3
    # The block starts within 0.15 of the gripper's start, as the goals do.
    assert found["cm"] == pytest.approx(100 * np.linalg.norm(far[0] - goals.mean(0)), abs=40)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_small_cells_have_their_values(tmp_path) -> None:
    from benchmarks.policies.cells import Budget, Cell, run_cell

    for method, names in (
        ("cloning", {"cloning", "demonstrations"}),
        ("beso", {"beso", "beso-1-steps", "beso-20-steps"}),
    ):
        values = run_cell(Cell("fetchpush", method, 3, 0, Budget(4, 4, 3)), tmp_path)
        assert names <= {name for name, _, _ in values}
        assert {metric for _, metric, _ in values} == {"success", "success-any", "cm"}
