"""DiffuserPolicy in Tianshou's Collector: replanning, batches of plans, and executed actions."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from tianshou.data import Batch, Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from torch import nn

from rlpriors.agents import DiffuserPolicy, TrajectoryLayout
from rlpriors.data.normalize import Normalizer
from rlpriors.diffusion import DiffusionProcess, GuidanceSettings, NoiseSchedule, PlannerSettings


class PointEnv(gym.Env):
    """A point that moves by a tenth of the action; episodes of `length` steps."""

    def __init__(self, length: int = 20, dictionary: bool = False) -> None:
        box = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
        self.action_space = gym.spaces.Box(-1, 1, (2,), np.float32)
        self.observation_space = gym.spaces.Dict({"goal": box, "where": box}) if dictionary else box
        self.length, self.dictionary = length, dictionary

    def _obs(self):
        return (
            {"goal": np.zeros(2, np.float32), "where": self.at.copy()} if self.dictionary else self.at.copy()
        )

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at, self.time = self.np_random.uniform(-0.1, 0.1, 2).astype(np.float32), 0
        return self._obs(), {}

    def step(self, action):
        assert self.action_space.contains(action.astype(np.float32)), action
        self.at = self.at + 0.1 * action.astype(np.float32)
        self.time += 1
        return self._obs(), 0.0, False, self.time >= self.length, {}


class Plans:
    """Stands in for `policy.plan`, notes what it was asked and answers."""

    def __init__(self, policy: DiffuserPolicy) -> None:
        self.asked: list[tuple[np.ndarray, torch.Tensor | None]] = []
        self.answers: list[torch.Tensor] = []
        self.plan = policy.plan
        policy.plan = self

    def __call__(self, obs, *, previous=None, reward=None):
        self.asked.append((np.array(obs), previous))
        self.answers.append(self.plan(obs, previous=previous, reward=reward))
        return self.answers[-1]

    @property
    def rows(self) -> list[int]:
        return [len(obs) for obs, _ in self.asked]


def collector(policy: DiffuserPolicy, *lengths: int, dictionary: bool = False) -> Collector:
    envs = DummyVectorEnv([lambda n=n: PointEnv(n, dictionary) for n in lengths])
    return Collector(policy, envs, VectorReplayBuffer(400 * len(lengths), len(lengths)))


def observe(*positions: float) -> Batch:
    return Batch(obs=np.array(positions, np.float32)[:, None].repeat(2, 1), info={})


@pytest.mark.parametrize(("execution_horizon", "stride"), [(1, 1), (3, 1), (1, 2), (3, 2), (7, 3)])
def test_plans_are_made_at_episode_starts_and_when_they_are_used_up(
    walks, make_policy, execution_horizon: int, stride: int
) -> None:
    policy = make_policy(walks(steps=30), execution_horizon=execution_horizon, stride=stride)
    plans = Plans(policy)
    collector(policy, 20).collect(n_episode=2, reset_before_collect=True)
    an_episode = -(-20 // (execution_horizon * stride))
    assert plans.rows == [1] * (2 * an_episode)


def test_actions_are_those_of_the_plan_each_held_for_a_stride(walks, make_policy) -> None:
    policy = make_policy(walks(), execution_horizon=3, stride=2)
    plans, collect = Plans(policy), collector(policy, 20)
    collect.collect(n_episode=1, reset_before_collect=True)
    buffer = collect.buffer[collect.buffer.sample_indices(0)]
    planned = [policy.layout.unpack(plan)[1][0, :3].numpy() for plan in plans.answers]
    executed = np.concatenate(planned).clip(-1, 1).repeat(2, 0)[:20]
    np.testing.assert_allclose(buffer.act, executed, rtol=1e-6)
    # Each plan began where the environment was.
    for number, (obs, _) in enumerate(plans.asked):
        assert np.array_equal(obs[0], buffer.obs[6 * number])
        np.testing.assert_allclose(policy.layout.unpack(plans.answers[number])[0][0, 0], obs[0], atol=1e-6)


@pytest.mark.parametrize("every", [1, 2, 5])
def test_plans_may_be_made_before_the_last_is_done(walks, make_policy, every: int) -> None:
    policy = make_policy(walks(), execution_horizon=3, stride=2, replan_every=every)
    plans, collect = Plans(policy), collector(policy, 20)
    collect.collect(n_episode=1, reset_before_collect=True)
    assert plans.rows == [1] * -(-20 // every)
    buffer = collect.buffer[collect.buffer.sample_indices(0)]
    planned = [policy.layout.unpack(plan)[1][0].numpy().repeat(2, 0)[:every] for plan in plans.answers]
    np.testing.assert_allclose(buffer.act, np.concatenate(planned).clip(-1, 1)[:20], rtol=1e-6)


@pytest.mark.parametrize("every", [1, 5])
def test_warm_starts_go_on_from_the_frame_that_was_reached(walks, make_policy, every: int) -> None:
    planner = PlannerSettings(n_candidates=2, n_steps=2, warm_start=0.5)
    policy = make_policy(walks(), execution_horizon=3, stride=2, replan_every=every, planner=planner)
    plans, collect = Plans(policy), collector(policy, 20)
    collect.collect(n_step=10, reset_before_collect=True)
    done = every // 2
    for last, (_, previous) in zip(plans.answers, plans.asked[1:], strict=False):
        assert torch.equal(previous[:, : 8 - done], last[:, done:])
        assert (previous[:, 8 - done :] == last[:, -1:]).all()


@pytest.mark.parametrize("every", [0, 7])
def test_when_plans_cannot_be_made(walks, make_policy, every: int) -> None:
    with pytest.raises(ValueError, match=rf"`replan_every` must be .* at most 6.* Received {every}"):
        make_policy(walks(), execution_horizon=3, stride=2, replan_every=every)


def test_one_environments_reset_leaves_the_plans_of_others(walks, make_policy) -> None:
    policy = make_policy(walks(), execution_horizon=4)
    plans, collect = Plans(policy), collector(policy, 6, 20)
    collect.collect(n_step=40, reset_before_collect=True)
    # 20 steps of each: the first environment starts episodes at 0, 6, 12, 18 and plans 4 steps in.
    first, second = {0, 4, 6, 10, 12, 16, 18}, {0, 4, 8, 12, 16}
    assert plans.rows == [(t in first) + (t in second) for t in sorted(first | second)]
    buffer = collect.buffer.buffers[1]
    acts = buffer.act[:20].reshape(5, 4, 2)
    own = [obs for obs, _ in plans.asked]
    for number, t in enumerate(sorted(second)):
        asked = own[sorted(first | second).index(t)]
        answer = plans.answers[sorted(first | second).index(t)]
        row = int(np.flatnonzero((asked == buffer.obs[t]).all(1))[0])
        planned = policy.layout.unpack(answer)[1][row, :4].numpy().clip(-1, 1)
        np.testing.assert_allclose(acts[number], planned, rtol=1e-6)


def test_collection_goes_on_with_the_plans_of_the_last_call(walks, make_policy) -> None:
    policy = make_policy(walks(), execution_horizon=4)
    plans, collect = Plans(policy), collector(policy, 20, 20)
    collect.reset()
    for _ in range(4):
        collect.collect(n_step=4)  # two steps of each
    assert plans.rows == [2, 2]
    collect.reset()
    collect.collect(n_step=4)
    assert plans.rows == [2, 2, 2]


def test_environments_drop_out_when_episodes_are_enough(walks, make_policy) -> None:
    policy = make_policy(walks(), execution_horizon=5)
    plans = Plans(policy)
    stats = collector(policy, 5, 20, 10).collect(n_episode=3, reset_before_collect=True)
    assert stats.n_collected_episodes == 3
    assert plans.rows[0] == 3


def test_dictionary_observations(walks, make_policy) -> None:
    policy = make_policy(walks(), execution_horizon=4, obs_keys=("where",))
    plans, collect = Plans(policy), collector(policy, 20, 20, dictionary=True)
    collect.collect(n_step=8, reset_before_collect=True)
    assert plans.rows == [2]
    assert np.array_equal(plans.asked[0][0], [b.obs.where[0] for b in collect.buffer.buffers])


class Pushes(nn.Module):
    """Predicts the same clean window wherever it is asked."""

    def forward(self, x, t):
        return torch.full_like(x, 0.5)


def test_actions_are_clipped_to_the_space() -> None:
    layout = TrajectoryLayout(
        8, 1, Normalizer.identity(2), Normalizer(torch.zeros(2), torch.tensor([10.0, 1.0]))
    )
    policy = DiffuserPolicy(
        denoiser=Pushes(),
        process=DiffusionProcess(NoiseSchedule(10)),
        layout=layout,
        action_space=gym.spaces.Box(np.array([-1, 0.75]), np.array([1, 2]), dtype=np.float64),
        planner=PlannerSettings(n_steps=2),
        device="cpu",
    )
    act = policy(observe(0.0, 0.1)).act
    assert act.tolist() == [[1.0, 0.75]] * 2  # 5 and 0.5 were planned
    assert act.dtype == np.float32


def test_calls_leave_their_state_alone(walks, make_policy) -> None:
    policy = make_policy(walks(), execution_horizon=3)
    first = policy(observe(0.0, 0.1)).state
    for _ in range(2):
        first = policy(observe(0.0, 0.1), first).state
    assert first.left.tolist() == [0, 0]
    before = Batch(first, copy=True)
    policy(observe(0.0, 0.1), first)
    assert first.left.tolist() == before.left.tolist()
    assert np.array_equal(first.actions, before.actions)


@pytest.mark.parametrize("warm_start", [0.0, 0.5])
def test_warm_starts_begin_from_the_shifted_plan_of_the_same_episode(walks, make_policy, warm_start) -> None:
    settings = PlannerSettings(n_candidates=2, n_steps=4, warm_start=warm_start)
    policy = make_policy(walks(), execution_horizon=3, planner=settings)
    plans = Plans(policy)
    collector(policy, 8).collect(n_episode=2, reset_before_collect=True)
    assert len(plans.asked) == 6  # at steps 0, 3 and 6 of both episodes
    for number, (_, previous) in enumerate(plans.asked):
        if warm_start == 0 or number % 3 == 0:
            assert previous is None
        else:
            plan = plans.answers[number - 1]
            assert torch.equal(previous, torch.cat([plan[:, 3:], plan[:, -1:].expand(-1, 3, -1)], dim=1))


def test_cold_and_warm_rows_in_one_call(walks, make_policy) -> None:
    settings = PlannerSettings(n_candidates=2, n_steps=4, warm_start=0.5)
    policy = make_policy(walks(), execution_horizon=1, planner=settings)
    state = policy(observe(0.1, 0.2, 0.3)).state
    state.empty_(np.array([1]))  # as the Collector does at an episode's end
    plans = Plans(policy)
    policy(observe(0.1, 0.2, 0.3), state)
    assert [(obs[:, 0].tolist(), previous is None) for obs, previous in plans.asked] == [
        ([pytest.approx(0.2)], True),
        ([pytest.approx(0.1), pytest.approx(0.3)], False),
    ]


def test_equal_seeds_plan_equal(walks, make_policy) -> None:
    obs = np.zeros((3, 2), np.float32)
    one, two, other = (make_policy(walks(), seed=seed) for seed in (1, 1, 2))
    torch.rand(1)  # the global generator is nobody's business
    plan = one.plan(obs)
    assert plan.shape == (3, 8, 4)
    assert torch.equal(plan, two.plan(obs))
    assert not torch.equal(plan, other.plan(obs))
    assert not torch.equal(plan, one.plan(obs))  # noise goes on
    one.reseed(1)
    assert torch.equal(plan, one.plan(obs))


def test_the_reward_decides_where_plans_go(walks, gaussian_policy) -> None:
    data, obs = walks(n=50), np.zeros((20, 2), np.float32)
    planner = PlannerSettings(n_candidates=8, n_steps=8, guidance=GuidanceSettings(weight=1.0))
    policy = gaussian_policy(data, planner=planner, reward=lambda obs, act, obs_next, end: obs_next[:, 0])
    ends = {}
    for name, reward in (("right", None), ("left", lambda obs, act, obs_next, end: -obs_next[:, 0])):
        ends[name] = policy.layout.unpack(policy.plan(obs, reward=reward))[0][:, -1]
    assert ends["right"][:, 0].min() > 0.1 > -0.1 > ends["left"][:, 0].max()
    assert (ends["right"][:, 1] - ends["left"][:, 1]).mean().abs() < 0.1
    policy.reward = None
    free = policy.layout.unpack(policy.plan(obs))[0][:, -1, 0]
    assert ends["left"][:, 0].mean() < free.mean() < ends["right"][:, 0].mean()


@pytest.mark.parametrize("obs", [np.zeros((2, 2)), np.zeros((2, 2), np.int64), torch.zeros(2, 2)])
def test_observations_of_any_number_type(walks, make_policy, obs) -> None:
    assert make_policy(walks()).plan(obs).dtype == torch.float32


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_observations_that_are_not_finite(walks, make_policy, bad: float) -> None:
    with pytest.raises(ValueError, match=r"`obs` must be finite\. Received NaN or infinity"):
        make_policy(walks())(observe(0.0, bad))


def test_observations_of_another_size(walks, make_policy) -> None:
    with pytest.raises(ValueError, match=r"`obs` must have 2 entries, .*Received 3\. .*`obs_keys`"):
        make_policy(walks())(Batch(obs=np.zeros((1, 3)), info={}))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"action_space": gym.spaces.Discrete(3)},
            r"`layout` must be made for the actions of `action_space`, Discrete\(3\)\. Received one for 2",
        ),
        ({"action_space": gym.spaces.MultiBinary(2)}, "must be a Box with one axis or Discrete.*wrapper"),
        ({"action_space": gym.spaces.Box(-1, 1, (2, 2))}, "`action_space` must be a Box with one axis"),
        ({"action_space": gym.spaces.Box(-1, 1, (3,))}, "`action_space` has 3 entries, .* actions of 2"),
        (
            {"execution_horizon": 0},
            r"`execution_horizon` must be at least 1 and less than .* 8 time steps\. Received 0",
        ),
        (
            {"execution_horizon": 8},
            r"`execution_horizon` must be at least 1 and less than .* 8 time steps\. Received 8",
        ),
    ],
)
def test_bad_arguments(walks, make_policy, overrides, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_policy(walks(), **overrides)


def test_a_function_may_follow_a_learned_reward(walks, make_policy) -> None:
    policy = make_policy(walks())
    policy.reward = nn.Identity()
    policy.reward = lambda obs, act, obs_next, terminated: obs[:, 0]  # a submodule would refuse it
    assert policy.plan(np.zeros((2, policy.layout.obs_dim))).shape[0] == 2
    assert not [name for name, _ in policy.named_modules() if name.startswith("reward")]
