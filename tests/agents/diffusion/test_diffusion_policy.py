"""Diffusion policy: what the network is shown, one of several ways at a time, chunks in a Collector."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from points import collector, homing
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Batch
from torch import nn

from rlpriors.agents import CosineSchedule, DiffusionCloning, DiffusionPolicy
from rlpriors.agents.offline_algorithm import WindowBuffer
from rlpriors.checkpoint import load_resume, save_resume
from rlpriors.data.buffers import from_buffer, to_buffer
from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.diffusion import DiffusionProcess, NoiseSchedule
from rlpriors.networks import DENOISERS

BOX = gym.spaces.Box(-1, 1, (1,))
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]


def make_policy(data: EpisodeStore, **arguments) -> DiffusionPolicy:
    """A tiny policy that draws something before it has learned anything."""
    defaults = {"device": "cpu", "horizon": 4, "width": 32, "n_steps": 4}
    defaults["process"] = DiffusionProcess(NoiseSchedule(20))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        policy = DiffusionPolicy.fit(data, arguments.pop("space", BOX), **(defaults | arguments))
        if "denoiser" not in arguments:
            nn.init.normal_(policy.denoiser.leave.weight, std=0.2)
    return policy


def make_algorithm(policy: DiffusionPolicy, lr: float = 5e-3, **arguments) -> DiffusionCloning:
    optim = AdamOptimizerFactory(lr=lr).with_lr_scheduler_factory(CosineSchedule(1000, warm_up=2))
    return DiffusionCloning(policy=policy, optim=optim, **({"ema_decay": 0.95} | arguments))


def episodes(*acts: list[float]) -> EpisodeStore:
    """Episodes of these actions, in which every observation is 0."""
    return EpisodeStore.from_episodes(
        [
            Episode(np.zeros((len(act) + 1, 1)), np.array(act)[:, None], *np.zeros((3, len(act))))
            for act in acts
        ]
    )


class Chunks:
    """Stands in for `policy.chunk`, notes what it was asked and answers."""

    def __init__(self, policy: DiffusionPolicy) -> None:
        self.asked: list[np.ndarray] = []
        self.answers: list[np.ndarray] = []
        self.chunk = policy.chunk
        policy.chunk = self

    def __call__(self, obs):
        self.asked.append(np.array(obs))
        self.answers.append(self.chunk(obs))
        return self.answers[-1]


# ---------------------------------------------------------------- the network and the loss


@pytest.mark.parametrize("name", DENOISERS)
def test_any_denoiser_serves(name: str, walks, train) -> None:
    data = walks(n=3)
    policy = make_policy(data, denoiser=name, space=gym.spaces.Box(-1, 1, (2,)))
    assert policy.chunk(data.obs[:5]).shape == (5, 4, 2)
    algorithm = make_algorithm(policy)
    before = [part.clone() for part in policy.denoiser.parameters()]
    train(algorithm, data, 2)
    moved = [not torch.equal(*pair) for pair in zip(before, policy.denoiser.parameters(), strict=True)]
    assert any(moved)


def test_the_network_sees_the_clean_observation_beside_noisy_actions() -> None:
    data = homing()
    policy, seen = make_policy(data, horizon=3), []

    class Spy(nn.Module):
        def forward(self, x, t):
            seen.append(x)
            return 10 + x

    policy.denoiser = Spy()
    obs, x = torch.tensor([[0.3], [-0.2]]), torch.randn(2, 3, 1)
    out = policy.action_denoiser(obs)(x, torch.tensor([5, 6]))
    assert torch.equal(out, 10 + x)
    assert torch.equal(seen[0][..., 1:], x)
    assert torch.equal(seen[0][..., :1], policy.layout.obs(obs)[:, None].expand(2, 3, 1))


def test_actions_beyond_the_end_do_not_count() -> None:
    # Normalized actions -1, 1, 0; a network that predicts 0 errs by 1, 1, 0 wherever it is asked.
    data = episodes([0.0, 1.0, 0.5])
    policy = make_policy(data)
    nn.init.zeros_(policy.denoiser.leave.weight)
    algorithm = make_algorithm(policy)
    windows = algorithm.process_buffer(to_buffer(data))
    assert isinstance(windows, WindowBuffer)
    batch, starts = windows.sample(None)
    assert starts.tolist() == [0, 1, 2]  # every step begins a chunk, though no window of 4 fits
    # Chunks (-1, 1, 0), (1, 0) and (0): six actions with squares 1 + 1 + 0 + 1 + 0 + 0.
    assert algorithm._update_with_batch(batch).loss == pytest.approx(3 / 6)


@pytest.mark.parametrize("device", DEVICES)
def test_it_goes_one_of_two_ways_and_keeps_to_it(train, device: str) -> None:
    data = episodes([1.0] * 4, [-1.0] * 4)
    policy = make_policy(data, device=device, n_steps=8)
    nn.init.zeros_(policy.denoiser.leave.weight)
    train(make_algorithm(policy, max_start=1), data, 300, batch_size=64)
    chunks = policy.chunk(np.zeros((200, 1))).cpu().numpy()[..., 0]
    assert np.abs(np.abs(chunks) - 1).mean() < 0.1
    same = (np.sign(chunks) == np.sign(chunks[:, :1])).all(1)
    assert same.mean() > 0.95
    assert 0.3 < (chunks[:, 0] > 0).mean() < 0.7


@pytest.mark.parametrize("device", DEVICES)
def test_it_does_as_the_demonstrations_did(train, device: str) -> None:
    data = homing()
    policy = make_policy(data, device=device, execution_horizon=2)
    train(make_algorithm(policy), data, 200, batch_size=64)
    collect = collector(policy, 30, 30)
    collect.collect(n_episode=4, reset_before_collect=True)
    ends = collect.buffer[collect.buffer.done.nonzero()[0]].obs_next
    assert len(ends) == 4
    assert np.abs(ends).max() < 0.2


# ---------------------------------------------------------------- acting


@pytest.mark.parametrize(("execution_horizon", "stride"), [(1, 1), (3, 1), (4, 1), (2, 3)])
def test_actions_are_those_of_the_chunk_each_held_for_a_stride(execution_horizon: int, stride: int) -> None:
    policy = make_policy(homing(), execution_horizon=execution_horizon, stride=stride)
    chunks, collect = Chunks(policy), collector(policy, 20)
    collect.collect(n_episode=2, reset_before_collect=True)
    an_episode = -(-20 // (execution_horizon * stride))
    assert [len(obs) for obs in chunks.asked] == [1] * (2 * an_episode)
    buffer = collect.buffer[collect.buffer.sample_indices(0)]
    drawn = np.concatenate([chunk[0, :execution_horizon].numpy() for chunk in chunks.answers[:an_episode]])
    np.testing.assert_allclose(buffer.act[:20], drawn.clip(-1, 1).repeat(stride, 0)[:20], rtol=1e-6)
    for number, obs in enumerate(chunks.asked[:an_episode]):
        assert np.array_equal(obs[0], buffer.obs[number * execution_horizon * stride])


def test_all_environments_that_need_a_chunk_get_it_in_one_batch() -> None:
    policy = make_policy(homing(), execution_horizon=4)
    chunks, collect = Chunks(policy), collector(policy, 6, 20)
    collect.collect(n_step=40, reset_before_collect=True)
    # 20 steps of each: the first starts episodes at 0, 6, 12, 18 and draws again 4 steps in.
    first, second = {0, 4, 6, 10, 12, 16, 18}, {0, 4, 8, 12, 16}
    assert [len(obs) for obs in chunks.asked] == [
        (t in first) + (t in second) for t in sorted(first | second)
    ]


def test_draws_depend_on_the_seed_alone() -> None:
    policy = make_policy(homing())
    obs, drawn = np.zeros((3, 1)), []
    for seed in (1, 1, 2):
        policy.reseed(seed)
        drawn.append(policy.chunk(obs))
        torch.rand(1)  # the global generator is nobody's business
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_a_dictionary_is_read_by_its_keys() -> None:
    data = homing()
    policy = make_policy(data, obs_keys=("where",), execution_horizon=2)
    collect = collector(policy, 9, 5, dictionary=True)
    collect.collect(n_episode=3, reset_before_collect=True)
    collected = from_buffer(collect.buffer, policy.obs_keys, policy=policy)
    store = make_algorithm(policy).process_buffer(to_buffer(collected)).store
    assert store.obs.shape[1:] == (1,)
    blind = make_policy(data)
    with pytest.raises(ValueError, match=r"`obs_keys` must give the order.*'clock' \(1,\), 'where' \(1,\)"):
        collector(blind, 5, dictionary=True).collect(n_episode=1, reset_before_collect=True)


def test_actions_are_clipped_to_the_space() -> None:
    policy = make_policy(homing(), space=gym.spaces.Box(-0.1, 0.1, (1,)))
    act = policy(Batch(obs=np.linspace(-1, 1, 50)[:, None], info={})).act
    assert np.abs(act).max() == pytest.approx(0.1)


# ---------------------------------------------------------------- resuming


def test_a_stopped_run_resumes_bit_equal(train, tmp_path) -> None:
    data = homing()
    uninterrupted, other, stopped, resumed = (make_algorithm(make_policy(data), seed=s) for s in (0, 1, 0, 0))
    for algorithm in (uninterrupted, other):
        train(algorithm, data, 6)
    train(stopped, data, 3)
    save_resume(tmp_path / "resume.pt", stopped.resume_state())
    resumed.resume(load_resume(tmp_path / "resume.pt"))
    assert int(resumed.updates) == 3
    train(resumed, data, 3)
    assert resumed.lr_schedulers[0].last_epoch == 6
    one, two, three = (dict(a.named_parameters()) for a in (resumed, uninterrupted, other))
    assert all(torch.equal(one[name], two[name]) for name in two)
    assert not torch.equal(two["online.leave.weight"], three["online.leave.weight"])
    drawn = []
    for algorithm in (resumed, uninterrupted):
        algorithm.policy.reseed(5)
        drawn.append(algorithm.policy.chunk(np.zeros((2, 1))))
    assert torch.equal(*drawn)


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"space": gym.spaces.Box(-1, 1, (2,))}, r"`action_space` must be a Box of 1 entries"),
        ({"space": gym.spaces.Discrete(3)}, r"must be a Box.*Received Discrete\(3\).*BehaviorCloning"),
        (
            {"execution_horizon": 0},
            r"`execution_horizon` must be in \[1, 4\], the time .* Received 0",
        ),
        ({"execution_horizon": 5}, r"`execution_horizon` must be in \[1, 4\]"),
        ({"n_steps": 0}, r"`n_steps` must be in \[1, 20\]"),
        ({"n_steps": 21}, r"`n_steps` must be in \[1, 20\]"),
        ({"sampler": "dpm"}, r"`sampler` must be one of \[.*\]\. Received 'dpm'"),
        ({"horizon": 1}, r"`horizon` must be at least 2\. Received 1"),
        ({"denoiser": "lstm"}, r"`name` must be one of .*Received 'lstm'"),
    ],
)
def test_bad_arguments_are_refused(arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        make_policy(homing(), **arguments)


def test_a_bad_average_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`ema_decay` must be in \[0, 1\)\. Received 1"):
        make_algorithm(make_policy(homing()), ema_decay=1.0)


def test_data_of_another_kind_is_refused(train, walks) -> None:
    with pytest.raises(ValueError, match=r"observations have 2 entries, but the policy was made for 1"):
        train(make_algorithm(make_policy(homing())), walks(), 1)


def test_observations_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`obs` must be finite\. Received NaN or infinity"):
        make_policy(homing()).chunk(np.array([[0.0], [np.inf]]))
