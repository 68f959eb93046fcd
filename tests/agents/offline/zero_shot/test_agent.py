"""Training of zero-shot agents: successor features by hand, fresh skills, resuming bit-equal, refusals."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from points import homing
from tianshou.algorithm.optim import AdamOptimizerFactory

from rlpriors.agents import SuccessorFeatureAgent, SuccessorFeaturePolicy, ZeroShotSettings
from rlpriors.agents.offline.zero_shot.policy import FEATURES
from rlpriors.checkpoint import CheckpointError, load_resume, save_resume
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.data.normalize import Normalizer

BOX, DISCRETE = gym.spaces.Box(-1, 1, (1,)), gym.spaces.Discrete(3, start=3)
SMALL = {"dim": 4, "hidden": (16,)}
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]


def make_agent(
    data: EpisodeStore,
    space: gym.Space = BOX,
    *,
    seed: int = 0,
    device: str = "cpu",
    lr: float = 1e-3,
    **changes,
) -> SuccessorFeatureAgent:
    settings = ZeroShotSettings(**(SMALL | changes))
    policy = SuccessorFeaturePolicy.fit(data, space, settings=settings, device=device)
    return SuccessorFeatureAgent(policy=policy, optim=AdamOptimizerFactory(lr=lr), seed=seed)


def still(terminated: bool) -> EpisodeStore:
    """Episodes of one step, whose observation stays 1."""
    end = np.array([True])
    flags = (end, ~end) if terminated else (~end, end)
    return EpisodeStore.from_episodes([Episode(np.ones((2, 1)), np.zeros((1, 1)), np.zeros(1), *flags)] * 4)


@pytest.mark.parametrize(("terminated", "expected"), [(True, 1.0), (False, 2.0)])
def test_a_termination_ends_the_sum_of_features_and_a_truncation_does_not(
    train, terminated: bool, expected: float
) -> None:
    settings = ZeroShotSettings("identity", hidden=(16,), gamma=0.5, tau=0.1)
    policy = SuccessorFeaturePolicy(
        action_space=BOX, obs=Normalizer.identity(1), settings=settings, device="cpu"
    )
    agent = SuccessorFeatureAgent(policy=policy, optim=AdamOptimizerFactory(lr=1e-2))
    train(agent, still(terminated), 300, batch_size=16)
    one = torch.ones(1, 1)
    learned = policy.successor.lower(one, one, policy.best_actions(one, one)).item()
    assert learned == pytest.approx(expected, abs=0.15)  # 1, or 1 + 0.5 + 0.25 + ...


def test_every_update_draws_new_skills(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = make_agent(homing())
    drawn = []
    draw = agent._draw_skills
    monkeypatch.setattr(agent, "_draw_skills", lambda *args: drawn.append(draw(*args)) or drawn[-1])
    buffer = agent.process_buffer(to_buffer(homing()))
    batch = buffer.sample(16)[0]
    for _ in range(3):
        agent._update_with_batch(batch)
    assert all(not torch.equal(drawn[i], drawn[j]) for i, j in ((0, 1), (0, 2), (1, 2)))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", FEATURES)
@pytest.mark.parametrize("discrete", [False, True])
def test_a_stopped_run_resumes_bit_equal(train, tmp_path, name, discrete: bool, device: str) -> None:
    data = homing(discrete=discrete)

    def fresh(seed: int = 0) -> SuccessorFeatureAgent:
        space = DISCRETE if discrete else BOX
        return make_agent(data, space, features=name, seed=seed, device=device, share_encoders=False)

    whole, other, stopped, resumed = fresh(), fresh(seed=1), fresh(), fresh()
    for agent in (whole, other):
        train(agent, data, 6)
    train(stopped, data, 3)
    save_resume(tmp_path / "state.pt", stopped.resume_state())
    resumed.resume(load_resume(tmp_path / "state.pt", device))
    train(resumed, data, 3)
    pairs = list(zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True))
    tensors = [(name, a, b) for (name, a), b in pairs if isinstance(a, torch.Tensor)]
    assert [name for name, a, b in tensors if not torch.equal(a, b)] == []
    assert int(resumed.updates) == 6
    assert not torch.equal(
        next(whole.policy.successor.parameters()), next(other.policy.successor.parameters())
    )


def test_a_resumed_run_has_its_settings_and_data(train, tmp_path) -> None:
    data = homing()
    agent = make_agent(data)
    train(agent, data, 2)
    state = agent.resume_state()
    with pytest.raises(CheckpointError, match=r"gamma 0\.98 \(now 0\.9\)"):
        make_agent(data, gamma=0.9).resume(state)
    again = make_agent(data)
    again.resume(state)
    with pytest.raises(CheckpointError, match="data"):
        again.process_buffer(to_buffer(homing(seed=1)))


def test_actions_stay_near_those_of_the_data_with_cloning(train) -> None:
    data = homing(n=20)
    obs = torch.from_numpy(data.obs[data.obs_index(np.arange(data.n_steps))])
    gaps = []
    for weight in (0.0, 30.0):
        agent = make_agent(data, bc_weight=weight, lr=3e-3)
        train(agent, data, 300, batch_size=64)
        skills = agent.policy.infer_z(goal=np.array([1.0])).expand(len(obs), -1).numpy()
        gaps.append(np.abs(agent.policy.act_by(obs.numpy(), skills) - data.act).mean())
    assert gaps[1] < 0.5 * gaps[0]


def test_other_policies_and_other_data_are_refused(without_type_checks) -> None:
    data = homing()
    agent = make_agent(data)
    with pytest.raises(TypeError, match="`policy` must be a SuccessorFeaturePolicy"):
        SuccessorFeatureAgent(policy=torch.nn.Linear(1, 1), optim=AdamOptimizerFactory(lr=1e-3))
    with pytest.raises(TypeError, match="`buffer` must be a ReplayBuffer"):
        agent.process_buffer(data)
    with pytest.raises(ValueError, match="action"):
        agent.process_buffer(to_buffer(homing(discrete=True)))
