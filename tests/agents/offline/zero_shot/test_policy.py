"""Policies over skills: skills of tasks, goals of Dict observations, action spaces, files."""

import math

import gymnasium as gym
import numpy as np
import pytest
import torch
from points import Point, collector, homing
from tianshou.data import Batch

from rlpriors.agents import SuccessorFeaturePolicy, ZeroShotSettings, load_skills, save_skills
from rlpriors.agents.offline.zero_shot.policy import FEATURES
from rlpriors.checkpoint import CheckpointError
from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.rewards import MLPReward, RewardSettings

BOX, DISCRETE = gym.spaces.Box(-2, 4, (1,)), gym.spaces.Discrete(3, start=3)


def make(space: gym.Space = BOX, dim: int = 2, features="identity", **arguments) -> SuccessorFeaturePolicy:
    settings = ZeroShotSettings(features, dim=4, hidden=(8,))
    arguments = {"obs": Normalizer.identity(dim), "device": "cpu"} | arguments
    return SuccessorFeaturePolicy(action_space=space, settings=settings, **arguments)


@pytest.fixture
def cloud() -> EpisodeStore:
    """One walk in two dimensions whose steps are independent."""
    rng = np.random.default_rng(0)
    end = np.arange(400) == 399
    obs = rng.normal(size=(401, 2))
    return EpisodeStore.from_episodes(
        [Episode(obs, rng.uniform(-1, 1, (400, 1)), np.zeros(400), np.zeros(400, bool), end)]
    )


def test_the_skill_of_a_linear_reward_is_its_direction(cloud: EpisodeStore) -> None:
    policy = make()

    def reward(obs, act, obs_next, terminated):
        return 3 * obs_next[:, 0] - 4 * obs_next[:, 1] + 100

    expected = math.sqrt(2) * np.array([0.6, -0.8])
    np.testing.assert_allclose(policy.infer_z(reward=reward, data=cloud).numpy(), expected, atol=1e-3)
    relabeled = cloud.relabel(reward)
    np.testing.assert_allclose(policy.infer_z(data=relabeled).numpy(), expected, atol=1e-3)
    np.testing.assert_allclose(policy.infer_z(data=relabeled, samples=50).numpy(), expected, atol=1e-3)


def test_rewards_of_changes_are_fitted_too(cloud: EpisodeStore) -> None:
    skill = make().infer_z(reward=lambda obs, act, obs_next, end: (obs_next - obs)[:, 1], data=cloud)
    np.testing.assert_allclose(skill.numpy(), [0, math.sqrt(2)], atol=1e-3)


def test_a_constant_reward_has_no_direction(cloud: EpisodeStore) -> None:
    skill = make().infer_z(reward=lambda obs, act, obs_next, end: torch.full((len(obs),), 0.3), data=cloud)
    assert skill.tolist() == [0.0, 0.0]


def test_the_skill_of_demonstrations_points_to_them(cloud: EpisodeStore) -> None:
    policy = make()
    policy.features.track(torch.from_numpy(cloud.obs), first=True)
    end = np.array([False, True])
    far = Episode(np.tile([[5.0, 0.0]], (3, 1)), np.zeros((2, 1)), np.zeros(2), end & False, end)
    skill = policy.infer_z(demonstrations=EpisodeStore.from_episodes([far]))
    assert skill[0] > 1.35 > abs(float(skill[1]))


def test_a_reward_that_returns_nonsense_is_refused(cloud: EpisodeStore) -> None:
    with pytest.raises(ValueError, match=r"one finite number for each of the 400 transitions.*with 400 that"):
        make().infer_z(reward=lambda obs, act, obs_next, end: obs[:, 0] / 0 * 0, data=cloud)
    with pytest.raises(ValueError, match=r"`samples` must be at least 1. Received 0"):
        make().infer_z(data=cloud, samples=0)


def test_exactly_one_task_is_given(cloud: EpisodeStore) -> None:
    policy = make()
    for arguments in ({}, {"reward": lambda *x: x[0][:, 0]}, {"goal": np.zeros(2), "data": cloud}):
        with pytest.raises(ValueError, match="exactly one of the three"):
            policy.infer_z(**arguments)


# ---------------------------------------------------------------- goals


def test_hilp_recomputes_its_skill_at_every_step() -> None:
    policy = make(features="hilp")
    goal, obs = np.array([1.0, 1.0]), np.array([[0.0, 0.0], [2.0, -1.0], [1.0, 1.0]], np.float32)
    policy.reach(goal)
    act = policy(Batch(obs=obs, info={})).act
    skills = torch.stack([policy.infer_z(goal=goal, obs=row) for row in obs])
    np.testing.assert_allclose(act, policy.act_by(obs, skills.numpy()), rtol=1e-5)
    assert skills[2].tolist() == [0.0] * 4  # the goal itself has no direction
    assert np.isfinite(act).all()
    policy.follow(skills[0])
    np.testing.assert_allclose(policy(Batch(obs=obs, info={})).act[0], act[0], rtol=1e-5)
    assert (policy(Batch(obs=obs, info={})).act[1] != act[1]).all()


def test_one_goal_for_each_environment() -> None:
    policy = make(features="one-step")
    obs = np.zeros((3, 2), np.float32)
    policy.reach(np.arange(6.0).reshape(3, 2))
    act = policy(Batch(obs=obs, info={})).act
    assert len(np.unique(act)) == 3
    with pytest.raises(ValueError, match=r"one for each of the 2 environments. Received 3"):
        policy(Batch(obs=obs[:2], info={}))


def test_goals_of_dictionary_observations() -> None:
    data = homing()
    policy = SuccessorFeaturePolicy.fit(
        data, gym.spaces.Box(-1, 1, (1,)), obs_keys=("where",), goal_key="clock", device="cpu",
        settings=ZeroShotSettings(dim=4, hidden=(8,)),
    )  # fmt: skip
    policy.reach()
    collect = collector(policy, 5, 5, dictionary=True)
    collect.collect(n_episode=2, reset_before_collect=True)
    obs = {"where": np.ones((1, 1)), "clock": np.full((1, 1), -2.0)}
    skill = policy.infer_z(goal=np.array([-2.0]), obs={"where": np.ones(1)})
    expected = policy.act_by(np.ones((1, 1)), skill[None].numpy())
    np.testing.assert_allclose(policy(Batch(obs=Batch(obs), info={})).act, expected, rtol=1e-5)
    with pytest.raises(ValueError, match="must have the leaf 'clock'"):
        policy(Batch(obs=np.ones((1, 1)), info={}))


def test_tasks_of_a_leaf_are_learned_from_its_entries() -> None:
    rows = {"clock": np.arange(5.0)[:, None], "where": np.ones((5, 2)) * np.arange(5.0)[:, None]}
    end = np.arange(4) == 3
    episode = Episode(rows, np.zeros((4, 1)), np.zeros(4), np.zeros(4, bool), end)
    data = EpisodeStore.from_episodes([episode], obs_keys=("clock", "where"))
    policy = SuccessorFeaturePolicy.fit(data, BOX, task_keys=("where",), device="cpu")
    assert policy.goals.entries == (1, 2)
    np.testing.assert_allclose(policy.goals([2.0, 4.0])[0].numpy(), [0.0, 0.0, math.sqrt(2)], atol=1e-6)
    with pytest.raises(ValueError, match=r"`task_keys` must be leaves.*Received \['place'\]"):
        SuccessorFeaturePolicy.fit(data, BOX, task_keys=("place",), device="cpu")


@pytest.mark.parametrize("goal", [np.zeros(3), np.array([0.0, np.nan])])
def test_goals_of_another_size_are_refused(goal: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"`goal` must have the 2 entries of an observation"):
        make().reach(goal)
    with pytest.raises(ValueError, match=r"`goal` must be given, because the policy has no `goal_key`"):
        make().reach()


# ---------------------------------------------------------------- actions


def test_actions_are_raw_and_inside_the_space() -> None:
    policy = make(features="hilp")
    skills = np.random.default_rng(0).normal(size=(50, 4))
    with torch.no_grad():
        policy.actor[-1][-1].bias += 100
    assert policy.act_by(np.zeros((50, 2)), skills).tolist() == [[4.0]] * 50
    codes = policy.codes(torch.tensor([[-2.0], [1.0], [4.0]]))
    assert codes.tolist() == [[-1.0], [0.0], [1.0]]


def test_discrete_policies_take_the_best_action() -> None:
    policy = make(DISCRETE, features="hilp")
    obs, skills = np.zeros((20, 2)), np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    chosen = policy.act_by(obs, skills)
    values = []
    for code in torch.eye(3):
        rows = torch.from_numpy(skills)
        successor = policy.successor.lower(torch.zeros(20, 2), rows, code.expand(20, -1))
        values.append((successor * rows).sum(1))
    assert chosen.tolist() == (torch.stack(values, 1).argmax(1) + 3).tolist()
    assert len(set(chosen.tolist())) > 1


@pytest.mark.parametrize(
    "space", [gym.spaces.Box(-1, np.inf, (1,)), gym.spaces.Box(0, 1, (2, 2)), gym.spaces.MultiBinary(3)]
)
def test_other_action_spaces_are_refused(space: gym.Space) -> None:
    with pytest.raises(ValueError, match=r"`action_space` must be a bounded Box with one axis or a Discrete"):
        make(space)


def test_cloning_of_discrete_actions_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`bc_weight` must be 0 for Discrete actions. Received 1"):
        SuccessorFeaturePolicy(
            action_space=DISCRETE, obs=Normalizer.identity(1), settings=ZeroShotSettings(bc_weight=1.0)
        )


def test_images_are_encoded_first() -> None:
    end = np.array([True])
    frames = np.zeros((2, 8, 8, 3), np.uint8)
    data = EpisodeStore.from_episodes([Episode(frames, np.zeros((1, 1)), np.zeros(1), ~end, end)])
    with pytest.raises(ValueError, match="encode images once"):
        SuccessorFeaturePolicy.fit(data, BOX, device="cpu")


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("name", FEATURES)
@pytest.mark.parametrize("space", [BOX, DISCRETE])
def test_a_saved_policy_acts_as_before(tmp_path, name, space: gym.Space) -> None:
    obs = Normalizer(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
    policy = make(space, features=name, obs=obs, task_entries=[1])
    policy.features.track(torch.randn(32, 2, generator=torch.Generator().manual_seed(0)), first=True)
    policy.follow(policy.infer_z(goal=np.array([3.0])))
    loaded = load_skills(save_skills(policy, tmp_path), device="cpu")
    rows = Batch(obs=np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32), info={})
    assert np.array_equal(loaded(rows).act, policy(rows).act)
    assert torch.equal(loaded.infer_z(goal=np.zeros(2)), policy.infer_z(goal=np.zeros(2)))
    assert loaded.goals.entries == (1,)
    assert loaded.action_space == space


def test_a_folder_of_something_else_is_refused(tmp_path) -> None:
    with pytest.raises(CheckpointError, match="not a checkpoint"):
        load_skills(tmp_path)
    MLPReward(RewardSettings(obs_dim=2, act_dim=1)).save(tmp_path / "reward")
    with pytest.raises(CheckpointError, match=r"must be of one of \['SuccessorFeaturePolicy'\]"):
        load_skills(tmp_path / "reward")


def test_the_layout_of_leaves_is_saved(tmp_path) -> None:
    policy = make(dim=1, obs_keys=("where",), goal_key="goal")
    loaded = load_skills(save_skills(policy, tmp_path), device="cpu")
    assert loaded.obs_keys == ("where",)
    assert loaded.goals.key == "goal"
    obs = Point(dictionary=True).reset(seed=0)[0]
    assert loaded.infer_z(goal=np.zeros(1), obs=obs).shape == (1,)
