"""Flow policies: cloning in one step, both ways kept, chunks in a Collector, resuming."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from points import collector, homing
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Batch
from torch import nn

from rlpriors.agents import CosineSchedule
from rlpriors.agents.diffusion.fast.flow_cloning import FlowCloning
from rlpriors.agents.diffusion.fast.flow_policy import FlowPolicy, FlowSettings
from rlpriors.checkpoint import CheckpointError, load_resume, save_resume
from rlpriors.data.buffers import from_buffer, to_buffer
from rlpriors.data.episodes import Episode, EpisodeStore

BOX = gym.spaces.Box(-1, 1, (1,))


def make_policy(data: EpisodeStore, space: gym.Space = BOX, *, seed: int = 0, **settings) -> FlowPolicy:
    """A tiny policy that draws something before it has learned anything."""
    keys = settings.pop("obs_keys", None)
    settings = {"horizon": 4, "hidden": (32, 32)} | settings
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        policy = FlowPolicy.fit(
            data, space, settings=FlowSettings(**settings), device="cpu", seed=seed, obs_keys=keys
        )
        nn.init.normal_(policy.flow.net[-1].weight, std=0.2)
    return policy


def make_algorithm(policy: FlowPolicy, lr: float = 5e-3, updates: int = 1000, **arguments) -> FlowCloning:
    optim = AdamOptimizerFactory(lr=lr).with_lr_scheduler_factory(CosineSchedule(updates, warm_up=2))
    return FlowCloning(policy=policy, optim=optim, **({"ema_decay": 0.95} | arguments))


def episodes(*acts: list[float]) -> EpisodeStore:
    """Episodes of these actions, in which every observation is 0."""
    return EpisodeStore.from_episodes(
        [
            Episode(np.zeros((len(act) + 1, 1)), np.array(act)[:, None], *np.zeros((3, len(act))))
            for act in acts
        ]
    )


@pytest.mark.parametrize(("sampler", "n_steps"), [("jump", 4), ("euler", 8)])
def test_it_goes_one_of_two_ways_and_keeps_to_it(train, sampler: str, n_steps: int) -> None:
    data = episodes([1.0] * 4, [-1.0] * 4)
    policy = make_policy(data, sampler=sampler, n_steps=n_steps)
    train(make_algorithm(policy, updates=300, max_start=1), data, 300, batch_size=64)
    chunks = policy.chunk(np.zeros((400, 1))).numpy()[..., 0]
    assert np.abs(np.abs(chunks) - 1).mean() < 0.4
    assert (np.sign(chunks) == np.sign(chunks[:, :1])).all(1).mean() > 0.8
    assert 0.3 < (chunks[:, 0] > 0).mean() < 0.7


def test_it_does_as_the_demonstrations_did(train) -> None:
    data = homing()
    policy = make_policy(data)
    train(make_algorithm(policy, updates=200), data, 200, batch_size=64)
    collect = collector(policy, 30, 30)
    collect.collect(n_episode=4, reset_before_collect=True)
    ends = collect.buffer[collect.buffer.done.nonzero()[0]].obs_next
    assert len(ends) == 4
    assert np.abs(ends).max() < 0.2


def test_actions_beyond_the_end_do_not_count() -> None:
    # Normalized actions -1, 1, 0 and a zero field at t = 1 (x = noise): errors are (noise - action)^2.
    data = episodes([0.0, 1.0, 0.5])
    policy = make_policy(data, sampler="euler", n_steps=4)
    algorithm = make_algorithm(policy)
    windows = algorithm.process_buffer(to_buffer(data))
    batch, starts = windows.sample(None)
    assert starts.tolist() == [0, 1, 2]  # every step begins a chunk, though no window of 4 fits
    for part in algorithm.online.parameters():
        nn.init.zeros_(part)
    generator = algorithm.generator()
    torch.rand((2, 3), generator=generator), torch.rand(3, generator=generator)  # the times
    noise = torch.randn((3, 4), generator=generator)
    x = torch.tensor([[-1.0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]])
    mask = torch.tensor([[1.0, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]])
    expected = ((noise - x).square() * mask).sum() / 6
    assert algorithm._update_with_batch(batch).loss == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize(("replan_every", "stride"), [(1, 1), (3, 1), (4, 1), (5, 3), (12, 3)])
def test_actions_are_those_of_the_chunk_each_held_for_a_stride(replan_every: int, stride: int) -> None:
    policy = make_policy(homing(), replan_every=replan_every, stride=stride)
    collect = collector(policy, 20)
    policy.reseed(3)
    collect.collect(n_episode=1, reset_before_collect=True)
    buffer = collect.buffer[collect.buffer.sample_indices(0)]
    policy.reseed(3)
    expected = []
    while len(expected) < 20:
        chunk = policy.chunk(buffer.obs[len(expected)][None])[0].numpy()
        expected += list(chunk.repeat(stride, 0)[:replan_every])
    np.testing.assert_allclose(buffer.act, np.array(expected)[:20], rtol=1e-5)


def test_half_of_a_chunk_is_executed_by_default() -> None:
    assert FlowSettings(horizon=8, stride=2).executed_steps == 8
    assert FlowSettings(horizon=1).executed_steps == 1
    assert FlowSettings(horizon=8, replan_every=3).executed_steps == 3


def test_only_used_up_chunks_are_replaced_and_the_given_state_stays() -> None:
    policy = make_policy(homing(), replan_every=2)
    first = policy(Batch(obs=np.zeros((3, 1)), info={}))
    state = Batch(actions=first.state.actions.copy(), left=np.array([1, 0, 1]))
    second = policy(Batch(obs=np.zeros((3, 1)), info={}), state)
    assert state.left.tolist() == [1, 0, 1]
    assert second.state.left.tolist() == [0, 1, 0]
    np.testing.assert_array_equal(second.act[[0, 2]], first.state.actions[[0, 2], 1])
    assert not np.array_equal(second.state.actions[1], first.state.actions[1])


def test_a_dictionary_is_read_by_its_keys() -> None:
    data = homing()
    policy = make_policy(data, obs_keys=("where",))
    collect = collector(policy, 9, 5, dictionary=True)
    collect.collect(n_episode=3, reset_before_collect=True)
    collected = from_buffer(collect.buffer, policy.obs_keys, policy=policy)
    assert make_algorithm(policy).process_buffer(to_buffer(collected)).store.obs.shape[1:] == (1,)
    blind = make_policy(data)
    with pytest.raises(ValueError, match=r"`obs_keys` must give the order.*'clock' \(1,\), 'where' \(1,\)"):
        collector(blind, 5, dictionary=True).collect(n_episode=1, reset_before_collect=True)


def test_draws_depend_on_the_seed_alone_and_lie_in_the_space() -> None:
    policy = make_policy(homing(), gym.spaces.Box(-0.1, 0.1, (1,)))
    drawn = []
    for seed in (1, 1, 2):
        policy.reseed(seed)
        drawn.append(policy.chunk(np.zeros((30, 1))))
        torch.rand(1)  # the global generator plays no role
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert drawn[0].abs().max() == pytest.approx(0.1)


def test_a_stopped_run_resumes_bit_equal(train, tmp_path) -> None:
    data = homing()
    uninterrupted, other, stopped, resumed = (make_algorithm(make_policy(data), seed=s) for s in (0, 1, 0, 0))
    for algorithm in (uninterrupted, other):
        train(algorithm, data, 6)
    train(stopped, data, 3)
    save_resume(tmp_path / "resume.pt", stopped.resume_state())
    resumed.resume(load_resume(tmp_path / "resume.pt"))
    train(resumed, data, 3)
    one, two, three = (dict(a.named_parameters()) for a in (resumed, uninterrupted, other))
    assert all(torch.equal(one[name], two[name]) for name in two)
    assert not torch.equal(two["online.net.0.weight"], three["online.net.0.weight"])
    with pytest.raises(CheckpointError, match="distinct"):
        make_algorithm(make_policy(data), distinct=0.25).resume(stopped.resume_state())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"space": gym.spaces.Box(-1, 1, (2,))}, r"`action_space` must be a Box of 1 entries"),
        ({"space": gym.spaces.Discrete(3)}, r"must be a Box.*Received Discrete\(3\)"),
        ({"horizon": 0}, r"`horizon` must be at least 1\. Received 0"),
        ({"replan_every": 5}, r"`replan_every` must be at least 1 and at most 4, .* Received 5"),
        ({"replan_every": 0}, r"`replan_every` must be at least 1"),
        ({"n_steps": 0}, r"`n_steps` must be at least 1\. Received 0"),
        ({"hidden": (0,)}, r"`hidden` must hold integers of at least 1"),
    ],
)
def test_bad_arguments_are_refused(arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_policy(homing(), **arguments)


def test_a_jump_needs_mean_velocities() -> None:
    with pytest.raises(
        ValueError, match=r"`distinct` must be in \(0, 1\] for the sampler \"jump\"\. Received 0"
    ):
        make_algorithm(make_policy(homing()), distinct=0.0)


def test_observations_and_data_of_another_kind_are_refused(train, walks) -> None:
    with pytest.raises(ValueError, match=r"observations have 2 entries, but the policy was made for 1"):
        train(make_algorithm(make_policy(homing())), walks(), 1)
    with pytest.raises(ValueError, match=r"`obs` must be finite\. Received NaN or infinity"):
        make_policy(homing()).chunk(np.array([[0.0], [np.inf]]))
