"""Training of score policies: losses by hand, two ways, goals, a hidden phase, resuming, encoders."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from points import collector, homing
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Batch

from rlpriors.agents import BESO, BehaviorCloningPolicy, CosineSchedule, ScorePolicy, ScoreSettings
from rlpriors.checkpoint import CheckpointError, load_resume, save_resume
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import Episode, EpisodeStore

BOX = gym.spaces.Box(-1, 1, (1,))


def make(
    data: EpisodeStore,
    seed: int = 0,
    goals: bool = False,
    lr: float = 3e-3,
    device: str = "cpu",
    **settings: Any,
) -> BESO:
    small: dict[str, Any] = {"denoiser": "mlp", "width": 32, "blocks": 1}
    policy = ScorePolicy.fit(
        data, BOX, goals=goals, settings=ScoreSettings(**(small | settings)), device=device
    )
    optim = AdamOptimizerFactory(lr=lr).with_lr_scheduler_factory(CosineSchedule(1000, warm_up=2))
    return BESO(policy=policy, optim=optim, ema_decay=0.95, seed=seed)


def still(*acts: list[float]) -> EpisodeStore:
    """Episodes of these actions, in which every observation is 0."""
    return EpisodeStore.from_episodes(
        Episode(np.zeros((len(act) + 1, 1)), np.array(act)[:, None], *np.zeros((3, len(act)))) for act in acts
    )


# ---------------------------------------------------------------- loss


@pytest.mark.parametrize(
    ("past_actions", "counts"), [("predicted", [1, 2, 2, 2]), ("given", [1] * 4), ("hidden", [1] * 4)]
)
def test_the_loss_covers_the_right_actions(past_actions: str, counts: list[int]) -> None:
    """An untrained network returns 0, so that the loss is the mean of the squared targets that count."""
    data = still([1.0, -1.0, 1.0, -1.0])
    algorithm = make(data, history=1, past_actions=past_actions)
    buffer = algorithm.process_buffer(to_buffer(data))
    batch, _ = buffer.sample(None)
    generator = algorithm.generator()
    edm, x = algorithm.policy.edm, batch.act
    sigma = edm.draw_sigma(4, generator)[:, None, None]
    noise = torch.randn(x.shape, generator=generator)
    _, c_skip, c_out, _ = edm.coefficients(sigma)
    target = ((x - c_skip * (x + sigma * noise)) / c_out).square()[..., 0]
    expected = sum(float(row[2 - count :].sum()) for row, count in zip(target, counts, strict=True)) / sum(
        counts
    )
    assert algorithm._update_with_batch(batch).loss == pytest.approx(expected, rel=1e-5)


def test_goals_are_hidden_in_a_fraction_of_windows() -> None:
    algorithm = make(homing(), goals=True, goal_dropout=0.25)
    flags: list[torch.Tensor] = []

    def record(module: Any, inputs: Any) -> None:
        flags.append(inputs[0][:, 0, -1])

    network: Any = algorithm.online
    network.network.register_forward_pre_hook(record)
    algorithm._update_with_batch(algorithm.process_buffer(to_buffer(homing())).sample(2000)[0])
    assert set(flags[0].tolist()) == {0.0, 1.0}
    assert 1 - flags[0].mean().item() == pytest.approx(0.25, abs=0.04)


# ---------------------------------------------------------------- behavior


def test_it_takes_one_of_two_ways(train) -> None:
    data = still(*[[1.0], [-1.0]] * 10)
    algorithm = make(data, history=0, n_steps=6)
    train(algorithm, data, 300, batch_size=64)
    drawn = algorithm.policy(Batch(obs=np.zeros((300, 1)), info={})).act[:, 0]
    assert (np.abs(drawn) > 0.6).mean() > 0.95  # the mean of both ways is 0
    assert 0.3 < (drawn > 0).mean() < 0.7


def test_it_goes_to_its_goal(train) -> None:
    rng = np.random.default_rng(0)
    episodes = []
    for _ in range(20):
        act = np.repeat(rng.choice([-1.0, 0.0, 1.0], 5), 4)[:, None]
        obs = np.concatenate([[[0.0]], 0.1 * act.cumsum(0)]) + rng.uniform(-1, 1)
        episodes.append(Episode(obs, act, *np.zeros((3, 20))))
    data = EpisodeStore.from_episodes(episodes)
    algorithm = make(data, goals=True, history=1, goal_gamma=0.8, lr=5e-3)
    train(algorithm, data, 300, batch_size=128)
    policy, reached = algorithm.policy, []
    for goal in (-0.8, 0.8):
        policy.reach([goal])
        collect = collector(policy, 30, 30)
        collect.collect(n_episode=4, reset_before_collect=True)
        ends = collect.buffer[collect.buffer.done.nonzero()[0]].obs_next
        reached.append(float(np.abs(ends - goal).mean()))
    assert max(reached) < 0.35


@pytest.mark.slow
def test_verified_past_tokens_keep_their_phase(train) -> None:
    """The observations are noise, so that the right continuation shows in the executed actions only."""
    rng, episodes = np.random.default_rng(0), []
    rhythm = np.tile(np.repeat([1.0, -1.0], 4), 5)
    for phase in rng.integers(8, size=60):
        act = rhythm[phase : phase + 24, None]
        episodes.append(Episode(rng.normal(size=(25, 1)), act, *np.zeros((3, 24))))
    data = EpisodeStore.from_episodes(episodes)
    algorithm = make(data, history=6, horizon=2, width=64)
    train(algorithm, data, 1500, batch_size=128)
    policy, runs = algorithm.policy, {}
    for n in (1, 16):
        policy.set_sampling(candidates=n)
        policy.reseed(0)
        state, acts = None, []
        for _ in range(24):
            out = policy(Batch(obs=rng.normal(size=(40, 1)), info={}), state)
            state = out.state
            acts.append(np.sign(out.act[:, 0]))
        changes = (np.diff(np.array(acts[8:]), axis=0) != 0).mean()
        runs[n] = abs(changes - 0.25)  # of the rhythm: one change in four steps
    assert runs[16] < 0.08
    assert runs[16] < runs[1] / 2


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
@pytest.mark.parametrize("denoiser", ["mlp", "mixer", "transformer"])
def test_it_trains_and_acts_on_a_device(train, device: str, denoiser: str) -> None:
    data = homing()
    algorithm = make(
        data,
        goals=True,
        denoiser=denoiser,
        width=16,
        history=2,
        horizon=2,
        candidates=2,
        guidance=1.0,
        sampler="euler_ancestral",
        device=device,
    )
    before = [part.clone() for part in algorithm.policy.model.parameters()]
    train(algorithm, data, 3)
    after = algorithm.policy.model.parameters()
    assert any(not torch.equal(*pair) for pair in zip(before, after, strict=True))
    algorithm.policy.reach([0.5])
    collector(algorithm.policy, 6, 4).collect(n_step=12, reset_before_collect=True)


# ---------------------------------------------------------------- resuming


def test_a_stopped_run_resumes_bit_equal(train, tmp_path) -> None:
    data = homing()
    uninterrupted, other, stopped, resumed = (make(data, seed=s, goals=True) for s in (0, 1, 0, 0))
    for algorithm in (uninterrupted, other):
        train(algorithm, data, 6)
    train(stopped, data, 3)
    save_resume(tmp_path / "resume.pt", stopped.resume_state())
    resumed.resume(load_resume(tmp_path / "resume.pt"))
    train(resumed, data, 3)
    one, two, three = (dict(a.named_parameters()) for a in (resumed, uninterrupted, other))
    assert all(torch.equal(one[name], two[name]) for name in two)
    assert not torch.equal(two["online.network.leave.weight"], three["online.network.leave.weight"])


def test_a_training_resumes_with_its_own_settings_and_data_only(train) -> None:
    data = homing()
    stopped = make(data, history=2)
    train(stopped, data, 2)
    state = stopped.resume_state()
    with pytest.raises(CheckpointError, match="history"):
        make(data, history=3).resume(state)
    again = make(data, history=2)
    again.resume(state)
    with pytest.raises(CheckpointError, match="data"):
        again.check_resumed_data(to_buffer(homing(seed=1)))


def test_data_of_another_size_are_refused() -> None:
    algorithm = make(homing())
    other = EpisodeStore.from_episodes([Episode(np.zeros((3, 2)), np.zeros((2, 1)), *np.zeros((3, 2)))])
    with pytest.raises(ValueError, match="observations have 2 entries, but the policy was made for 1"):
        algorithm.process_buffer(to_buffer(other))


@pytest.mark.usefixtures("without_type_checks")
def test_another_policy_is_refused() -> None:
    policy: Any = BehaviorCloningPolicy.fit(homing(), BOX, device="cpu")
    message = r"`policy` must be a ScorePolicy\. Received a BehaviorCloningPolicy; build one with"
    with pytest.raises(TypeError, match=message):
        BESO(policy=policy, optim=AdamOptimizerFactory())
