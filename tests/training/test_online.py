"""Online training: rewards, recorded returns, seeds, stopping and resuming."""

from copy import deepcopy
from dataclasses import replace
from functools import partial

import gymnasium as gym
import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tianshou.data import Collector
from tianshou.env import DummyVectorEnv

from rlpriors.agents import AlgorithmSettings, make_algorithm
from rlpriors.agents.online.relabel import Relabel
from rlpriors.checkpoint import CheckpointError, load_resume, save_resume
from rlpriors.data.buffers import FastVectorReplayBuffer
from rlpriors.rewards import MLPReward, NormalizedReward, RewardSettings
from rlpriors.training.buffer_state import dump_buffer, load_buffer
from rlpriors.training.episode_statistics import RecordEpisodeReturns
from rlpriors.training.online import OnlineSettings, train_online
from rlpriors.training.rollout import evaluate_policy
from rlpriors.wrappers.tianshou.learned_reward import TianshouLearnedReward


class Line(gym.Env):
    """A point that steps left (0) or right (1), and is paid by how far right it stands."""

    observation_space = gym.spaces.Box(-9, 9, (1,))

    def __init__(self, continuous: bool = False, steps: int = 6) -> None:
        self.action_space = gym.spaces.Box(-1, 1, (1,)) if continuous else gym.spaces.Discrete(2)
        self.continuous, self.steps = continuous, steps

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x, self.t = float(self.np_random.uniform(-0.5, 0.5)), 0
        return np.array([self.x], np.float32), {}

    def step(self, action):
        self.x += float(action[0]) if self.continuous else 2.0 * float(action) - 1.0
        self.t += 1
        return np.array([self.x], np.float32), self.x, False, self.t == self.steps, {}


def to_the_left(obs, act, obs_next, terminated):
    return -obs_next[:, 0]


SHORT = OnlineSettings(
    env_steps=48, n_envs=2, random_steps=16, collect_steps=4, batch_size=8, repeat=1, checkpoint_every=16
)


def learner(algorithm, *, continuous=False, seed=0, **settings):
    env = Line(continuous)
    settings = AlgorithmSettings(algorithm, hidden=(16,), **settings)
    return make_algorithm(env.observation_space, env.action_space, settings, device="cpu", seed=seed)


def weights(algorithm):
    return torch.cat([p.detach().flatten() for p in algorithm.policy.parameters()])


def test_an_agent_learns_from_the_reward_it_is_shown_and_not_from_the_environments():
    agent = learner("dqn", gamma=0.5, lr=1e-2, exploration=0.3)
    settings = OnlineSettings(env_steps=400, n_envs=4, random_steps=80, collect_steps=8, batch_size=32)
    result = train_online(agent, Line, reward=to_the_left, settings=settings, progress=False)
    episodes = evaluate_policy(agent.policy, Line, 5, seed=1)
    assert (episodes.act == 0).all()  # to the left, though the environment pays for the right
    assert [e.true_return for e in result.episodes] == pytest.approx(
        [-e.learned_return for e in result.episodes], abs=1e-5
    )


@pytest.mark.parametrize(
    ("algorithm", "continuous"),
    [("sac", True), ("td3", True), ("ppo", True), ("ppo", False), ("dqn", False)],
)
def test_every_learner_counts_steps_and_episodes(algorithm, continuous):
    agent = learner(algorithm, continuous=continuous)
    before = weights(agent)
    result = train_online(agent, partial(Line, continuous), settings=SHORT, progress=False)
    assert result.env_steps == 48
    assert [e.length for e in result.episodes] == [6] * 8  # 24 steps in each of both environments
    assert all(e.true_return == e.learned_return for e in result.episodes)
    assert not torch.equal(weights(agent), before)


def test_equal_seeds_learn_equally_and_the_global_generators_stay():
    torch_state, numpy_state = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    learned = []
    for seed in (1, 1, 2):
        agent = learner("td3", continuous=True)
        train_online(agent, partial(Line, True), settings=SHORT, seed=seed, progress=False)
        learned.append(weights(agent))
    assert torch.equal(learned[0], learned[1])
    assert not torch.equal(learned[0], learned[2])
    assert torch.equal(torch.random.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002


def test_vector_environments_are_used_again_and_stay_open():
    envs = DummyVectorEnv([Line] * 2)
    for _ in range(2):
        train_online(learner("dqn"), envs, settings=SHORT, progress=False)
    assert evaluate_policy(learner("dqn").policy, envs, 3).lengths.tolist() == [6, 6, 6]


def test_the_learned_reward_is_scaled_for_the_agent():
    settings = replace(SHORT, reward_scale=-2.0)
    result = train_online(learner("dqn"), Line, reward=to_the_left, settings=settings, progress=False)
    first = result.episodes[0]
    assert first.learned_return == pytest.approx(2 * first.true_return, abs=1e-5)


def test_both_returns_are_drawn(tmp_path):
    train_online(learner("dqn"), Line, reward=to_the_left, folder=tmp_path, settings=SHORT, progress=False)
    events = EventAccumulator(str(tmp_path / "tensorboard/policy"), size_guidance={"scalars": 0})
    events.Reload()
    shown = events.Scalars("policy/learned_return")
    true = events.Scalars("policy/true_return")
    assert [point.step for point in true] == [point.step for point in shown]
    assert [point.value for point in true] == pytest.approx([-point.value for point in shown], abs=1e-5)
    assert 16 < true[0].step <= true[-1].step <= 48  # random steps count


@pytest.mark.parametrize(("algorithm", "continuous"), [("sac", True), ("ppo", False)])
def test_a_stopped_run_resumes_from_its_checkpoint(algorithm, continuous, tmp_path):
    make_env = partial(Line, continuous)
    first = learner(algorithm, continuous=continuous)
    half = replace(SHORT, env_steps=32)
    train_online(first, make_env, folder=tmp_path, settings=half, progress=False)
    again = learner(algorithm, continuous=continuous, seed=5)
    result = train_online(
        again, make_env, folder=tmp_path, settings=half, resume=True, progress=False
    )  # done already: nothing is learned, and what comes back is what was learned
    assert result.env_steps == 32
    assert result.episodes == []
    assert torch.equal(weights(again), weights(first))
    result = train_online(again, make_env, folder=tmp_path, settings=SHORT, resume=True, progress=False)
    assert result.env_steps == 48
    assert [e.length for e in result.episodes] == [6] * 2  # 8 more steps in each
    assert not torch.equal(weights(again), weights(first))


class Power(Exception):
    """End of a run in the middle of an episode."""


class Failing(Line):
    """A line whose environments fail together after a number of steps."""

    def __init__(self, continuous: bool, left: list[int]) -> None:
        super().__init__(continuous)
        self.left = left

    def step(self, action):
        self.left[0] -= 1
        if self.left[0] < 0:
            raise Power
        return super().step(action)


@pytest.mark.parametrize(
    ("algorithm", "continuous"),
    [("sac", True), ("td3", True), ("ppo", True), ("ppo", False), ("dqn", False)],
)
def test_an_exact_resume_equals_the_undisturbed_run(algorithm, continuous, tmp_path):
    settings = replace(SHORT, env_steps=76, exact_resume=True)
    common = {"settings": settings, "seed": 3, "progress": False}

    def run(name, left, resume=False):
        agent, reward = learner(algorithm, continuous=continuous, gamma=0.5), Watched()
        train_online(
            agent,
            partial(Failing, continuous, [left]),
            reward=reward,
            folder=tmp_path / name,
            resume=resume,
            **common,
        )
        return load_resume(tmp_path / name / "policy.resume.pt"), weights(agent), reward.statistics()

    whole = run("whole", 10_000)
    with pytest.raises(Power):  # checkpoints follow 32, 48, 64 and 76 steps
        run("killed", 37)
    with pytest.raises(Power):
        run("killed", 21, resume=True)
    resumed = run("killed", 10_000, resume=True)
    assert whole[0]["env_steps"] == 76
    assert torch.equal(resumed[1], whole[1])
    assert str(resumed) == str(whole)


class Watched(NormalizedReward):
    """Remembers what it observed."""

    def __init__(self, slope: float = 3.0) -> None:
        base = MLPReward(RewardSettings(obs_dim=1, act_dim=1, hidden=()))
        torch.nn.init.constant_(base.net[0].weight, slope)
        torch.nn.init.zeros_(base.net[0].bias)
        super().__init__(base)
        self.updating, self.seen = True, []

    def observe(self, rewards):
        self.seen += rewards.tolist()
        super().observe(rewards)


@pytest.mark.parametrize("algorithm", ["sac", "ppo"])
def test_a_normalized_reward_resumes_with_its_statistics(algorithm, tmp_path):
    def fresh():
        return learner(algorithm, continuous=True)

    first, again, anew = Watched(), Watched(), Watched()
    half, make_env = replace(SHORT, env_steps=32), partial(Line, True)
    result = train_online(fresh(), make_env, reward=first, folder=tmp_path, settings=half, progress=False)
    assert len(first.seen) == first.count == 32
    # The agent sees each step of both environments divided by the deviation of all until then.
    rows = np.array(first.seen).reshape(16, 2)
    shown = np.array([row / rows[: t + 1].std() for t, row in enumerate(rows)])
    returns = [shown[start : start + 6].sum(0) for start in (0, 6)]
    assert [e.learned_return for e in result.episodes] == pytest.approx(np.ravel(returns), rel=1e-3)
    common = {"folder": tmp_path, "resume": True, "progress": False}
    train_online(fresh(), make_env, reward=again, settings=SHORT, **common)
    assert len(again.seen) == 16
    assert again.count == 48
    together = np.array(first.seen + again.seen)
    assert again.mean.item() == pytest.approx(together.mean(), rel=1e-4)
    assert again.variance.item() == pytest.approx(together.var(), rel=1e-4)
    train_online(fresh(), make_env, reward=anew, settings=SHORT, **common)  # done: only read
    assert (anew.seen, anew.statistics()) == ([], again.statistics())


def test_a_reward_of_another_kind_does_not_resume(tmp_path):
    resting = Watched()
    resting.updating = False
    common = {"folder": tmp_path, "settings": SHORT, "progress": False}
    for begun, now in ((Watched(), resting), (resting, Watched()), (Watched(), to_the_left)):
        train_online(learner("dqn"), Line, reward=begun, **common)
        with pytest.raises(CheckpointError, match="holds no running statistics of this reward"):
            train_online(learner("dqn"), Line, reward=now, resume=True, **common)
    train_online(learner("dqn"), Line, reward=resting, **common)
    with pytest.raises(CheckpointError, match="was trained with reward"):
        train_online(learner("dqn"), Line, reward=to_the_left, resume=True, **common)
    assert resting.count == 0


def test_other_rewards_and_settings_do_not_resume(tmp_path):
    """The stored steps keep the reward that they were collected with."""
    common = {"folder": tmp_path, "progress": False}
    begun = MLPReward(RewardSettings(obs_dim=1, act_dim=1, hidden=()))
    retrained = deepcopy(begun)
    retrained.net[0].bias.data += 1
    train_online(learner("dqn"), Line, reward=begun, settings=SHORT, **common)
    train_online(learner("dqn"), Line, reward=deepcopy(begun), settings=SHORT, resume=True, **common)
    for now in (retrained, None, to_the_left):
        with pytest.raises(CheckpointError, match=r"was trained with reward.*start without resuming"):
            train_online(learner("dqn"), Line, reward=now, settings=SHORT, resume=True, **common)
    doubled = replace(SHORT, reward_scale=2.0)
    with pytest.raises(CheckpointError, match=r"with reward_scale 1.0 \(now 2.0\)"):
        train_online(learner("dqn"), Line, reward=begun, settings=doubled, resume=True, **common)


def test_checkpoints_of_earlier_versions_resume(tmp_path):
    common = {"folder": tmp_path, "settings": SHORT, "progress": False}
    train_online(learner("dqn"), Line, reward=to_the_left, **common)
    state = load_resume(tmp_path / "policy.resume.pt")
    del state["inputs"]
    save_resume(tmp_path / "policy.resume.pt", state)
    result = train_online(learner("dqn"), Line, reward=to_the_left, resume=True, **common)
    assert (result.env_steps, result.episodes) == (SHORT.env_steps, [])  # done already


def test_a_checkpoint_keeps_the_stored_steps_and_cuts_episodes_under_way(tmp_path):
    buffer = FastVectorReplayBuffer(20, 2)
    agent = learner("dqn")
    envs = DummyVectorEnv([Line] * 2)
    envs.seed(0)
    collector = Collector(agent, envs, buffer)
    collector.reset()
    collector.collect(
        n_step=26
    )  # 13 in each, of which the last 10 are kept: 5 of one episode, 4.. of the next
    steps = dump_buffer(buffer)
    assert steps["env"].tolist() == [0] * 10 + [1] * 10
    assert np.flatnonzero(steps["done"]).tolist() == [2, 8, 9, 12, 18, 19]  # the 9th and 19th are cut
    other = FastVectorReplayBuffer(20, 2)
    load_buffer(other, steps)
    for key, values in dump_buffer(other).items():
        np.testing.assert_array_equal(values, steps[key])


def test_damage_is_refused(tmp_path):
    train_online(learner("dqn"), Line, folder=tmp_path, settings=SHORT, progress=False)
    with pytest.raises(CheckpointError, match="is of 'DQN', not of 'SAC'"):
        train_online(
            learner("sac", continuous=True), partial(Line, True), folder=tmp_path, settings=SHORT, resume=True
        )
    (tmp_path / "policy.buffer.pt").write_bytes(b"no")
    with pytest.raises(CheckpointError, match=r"buffer\.pt is missing or damaged"):
        train_online(learner("dqn"), Line, folder=tmp_path, settings=SHORT, resume=True)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="`resume` needs the `folder`"):
        train_online(learner("dqn"), Line, settings=SHORT, resume=True)
    with pytest.raises(ValueError, match=r"`n_envs` must be the number of environments, 3\. Received 2"):
        train_online(learner("dqn"), DummyVectorEnv([Line] * 3), settings=SHORT)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"env_steps": 0}, "`env_steps` must be at least 1"),
        ({"random_steps": 25_600}, "`random_steps` must be at least 0 and below `env_steps`"),
        ({"collect_steps": 20}, "`collect_steps` must be a multiple of `n_envs`, 16"),
        ({"random_steps": 20}, "`random_steps` must be a multiple of `n_envs`, 16"),
        ({"update_per_step": 0.01}, "`update_per_step` must give at least 1 update"),
        ({"buffer_size": 3}, "`buffer_size` must be at least `n_envs`"),
        ({"reward_scale": 0.0}, "`reward_scale` must be finite and not 0"),
    ],
)
def test_settings_are_bounded(fields, message):
    with pytest.raises(ValueError, match=message):
        OnlineSettings(**fields)


def test_accounts_add_up_by_hand():
    venv = RecordEpisodeReturns(
        TianshouLearnedReward(DummyVectorEnv([lambda: Line(steps=2)]), to_the_left, device="cpu")
    )
    obs, _ = venv.reset()
    x = float(obs[0, 0])
    venv.step(np.array([1]))
    venv.step(np.array([1]))
    (episode,) = venv.finished
    assert episode.true_return == pytest.approx((x + 1) + (x + 2), abs=1e-5)
    assert episode.learned_return == pytest.approx(-(x + 1) - (x + 2), abs=1e-5)
    assert episode.length == 2


def test_episodes_of_a_policy_hold_what_the_environment_was_given():
    agent = learner("sac", continuous=True)
    episodes = evaluate_policy(agent.policy, partial(Line, True), 3, seed=4)
    again = evaluate_policy(agent.policy, partial(Line, True), 3, seed=4)
    assert episodes.lengths.tolist() == [6, 6, 6]
    np.testing.assert_array_equal(episodes.obs, again.obs)
    one = episodes.episode(1)
    np.testing.assert_allclose(one.obs[1:, 0], one.obs[:-1, 0] + one.act[:, 0], atol=1e-5)
    np.testing.assert_allclose(one.rew, one.obs[1:, 0], atol=1e-5)
    assert one.truncated.tolist() == [False] * 5 + [True]


def test_algorithms_around_others_run_and_resume(tmp_path):
    def relabeled(seed):
        return Relabel(learner("dqn", gamma=0.5, seed=seed), to_the_left)

    half = replace(SHORT, env_steps=32)
    first, again = relabeled(0), relabeled(1)
    train_online(first, Line, folder=tmp_path, settings=half, progress=False)
    result = train_online(again, Line, folder=tmp_path, settings=half, resume=True, progress=False)
    assert torch.equal(weights(again), weights(first))
    assert result.env_steps == 32
