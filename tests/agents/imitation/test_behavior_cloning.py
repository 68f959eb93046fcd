"""Behavior cloning: losses by hand, actions of every kind of space, learning, resuming bit-equal."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from jaxtyping import config
from points import collector, homing
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Batch
from torch import nn

from rlpriors.agents import BehaviorCloning, BehaviorCloningPolicy, CosineSchedule, DiffusionPolicy
from rlpriors.checkpoint import CheckpointError, load_resume, save_resume
from rlpriors.data.buffers import from_buffer, to_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import Normalizer

BOX, DISCRETE = gym.spaces.Box(-1, 1, (1,)), gym.spaces.Discrete(3, start=3)
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]


def make_policy(data: EpisodeStore, space: gym.Space = BOX, **arguments) -> BehaviorCloningPolicy:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return BehaviorCloningPolicy.fit(data, space, **({"device": "cpu", "hidden": (32,)} | arguments))


def make_algorithm(policy: BehaviorCloningPolicy, lr: float = 1e-2, **arguments) -> BehaviorCloning:
    optim = AdamOptimizerFactory(lr=lr).with_lr_scheduler_factory(CosineSchedule(1000, warm_up=2))
    return BehaviorCloning(policy=policy, optim=optim, **arguments)


def silenced(space: gym.Space, **arguments) -> BehaviorCloningPolicy:
    """A policy whose network puts out zeros, and whose actions are normalized from 0..4 to -1..1."""
    act = Normalizer(torch.tensor([2.0]), torch.tensor([2.0])) if isinstance(space, gym.spaces.Box) else None
    policy = BehaviorCloningPolicy(
        action_space=space, obs=Normalizer.identity(1), act=act, device="cpu", **arguments
    )
    nn.init.zeros_(policy.actor[-1].weight)
    nn.init.zeros_(policy.actor[-1].bias)
    return policy


# ---------------------------------------------------------------- by hand


def test_losses_of_a_network_with_zero_output() -> None:
    obs, act = torch.zeros(2, 1), torch.tensor([[4.0], [3.0]])  # normalized: 1 and 0.5
    wide = gym.spaces.Box(0, 4, (1,))
    assert silenced(wide).cloning_loss(obs, act).item() == pytest.approx((1 + 0.25) / 2)
    normal = silenced(wide, loss="nll")
    assert normal.cloning_loss(obs, act).item() == pytest.approx(0.5 * (1 + 0.25) / 2)
    with torch.no_grad():
        normal.actor[-1].bias[1] = np.log(2.0)  # standard deviation 2
    expected = 0.5 * (1 + 0.25) / 2 / 4 + np.log(2)
    assert normal.cloning_loss(obs, act).item() == pytest.approx(expected)
    numbers = silenced(DISCRETE)
    assert numbers.cloning_loss(obs, act).item() == pytest.approx(np.log(3))
    with torch.no_grad():
        numbers.actor[-1].bias[1] = np.log(2.0)  # weights 1, 2, 1 of the actions 3, 4, 5
    assert numbers.cloning_loss(obs, act).item() == pytest.approx((np.log(2) + np.log(4)) / 2)


def test_actions_are_raw_and_inside_the_space() -> None:
    policy = silenced(gym.spaces.Box(0, 4, (1,)))
    observed = Batch(obs=np.zeros((3, 1)), info={})
    assert policy(observed).act.tolist() == [[2.0]] * 3
    with torch.no_grad():
        policy.actor[-1].bias[0] = 5.0
    assert policy(observed).act.tolist() == [[4.0]] * 3
    numbers = silenced(DISCRETE)
    with torch.no_grad():
        numbers.actor[-1].bias[2] = 1.0
    assert numbers(observed).act.tolist() == [5, 5, 5]


def test_drawn_actions_have_the_spread_that_was_learned() -> None:
    observed = Batch(obs=np.zeros((4000, 1)), info={})
    normal = silenced(gym.spaces.Box(-100, 100, (1,)), loss="nll", deterministic=False)
    with torch.no_grad():
        normal.actor[-1].bias[1] = np.log(3.0)
        normal.actor[-1].bias[0] = 1.0
    drawn = normal(observed).act
    assert drawn.mean() == pytest.approx(2 + 2 * 1, abs=0.3)
    # The spread is bounded by e, in normalized units.
    assert drawn.std() == pytest.approx(2 * np.e, rel=0.05)
    normal.reseed(0)
    assert np.array_equal(normal(observed).act, drawn)
    numbers = silenced(DISCRETE, deterministic=False)
    with torch.no_grad():
        numbers.actor[-1].bias[1] = np.log(2.0)
    share = np.bincount(numbers(observed).act, minlength=6)[3:] / 4000
    np.testing.assert_allclose(share, [0.25, 0.5, 0.25], atol=0.04)


def test_every_step_of_every_episode_is_learned_from(walks) -> None:
    data = walks(n=3, steps=5)
    algorithm = make_algorithm(make_policy(data, gym.spaces.Box(-1, 1, (2,))))
    buffer = algorithm.process_buffer(to_buffer(data))
    batch, _ = buffer.sample(None)
    assert np.array_equal(batch.act[:, 0].numpy(), data.act)
    assert np.array_equal(batch.obs[:, 0].numpy(), data.transitions().obs.numpy())


# ---------------------------------------------------------------- learning


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    "arguments", [{}, {"loss": "nll"}, {"loss": "nll", "deterministic": False}, {"discrete": True}]
)
def test_it_does_as_the_demonstrations_did(train, arguments, device: str) -> None:
    discrete = arguments.get("discrete", False)
    rest = {key: value for key, value in arguments.items() if key != "discrete"}
    data = homing(discrete=discrete)
    policy = make_policy(data, DISCRETE if discrete else BOX, device=device, **rest)
    train(make_algorithm(policy), data, 150, batch_size=64)
    collect = collector(policy, 30, 30, discrete=discrete)
    collect.collect(n_episode=4, reset_before_collect=True)
    ends = collect.buffer[collect.buffer.done.nonzero()[0]].obs_next
    assert len(ends) == 4
    assert np.abs(ends).max() < 0.2  # two moves at most


def test_a_dictionary_is_read_by_its_keys(train) -> None:
    data = homing()
    policy = make_policy(data, obs_keys=("where",))
    train(make_algorithm(policy), data, 100, batch_size=64)
    collect = collector(policy, 30, 20, dictionary=True)
    collect.collect(n_episode=2, reset_before_collect=True)
    # The collected buffer is training data, once its units are stated.
    with pytest.raises(ValueError, match="units of the actions in `buffer` must be stated"):
        make_algorithm(policy).process_buffer(collect.buffer)
    collected = from_buffer(collect.buffer, policy.obs_keys, policy=policy)
    store = make_algorithm(policy).process_buffer(to_buffer(collected)).store
    assert store.obs.shape == (52, 1)
    blind = make_policy(data)
    with pytest.raises(ValueError, match=r"`obs_keys` must give the order.*'clock' \(1,\), 'where' \(1,\)"):
        collector(blind, 5, dictionary=True).collect(n_episode=1, reset_before_collect=True)


def test_many_at_once_act_as_each_alone() -> None:
    policy = make_policy(homing())
    obs = np.linspace(-1, 1, 7, dtype=np.float32)[:, None]
    together = policy(Batch(obs=obs, info={})).act
    alone = [policy(Batch(obs=row[None], info={})).act for row in obs]
    np.testing.assert_allclose(together, np.concatenate(alone), rtol=1e-5, atol=1e-6)


# ---------------------------------------------------------------- resuming


@pytest.mark.parametrize("discrete", [False, True])
def test_a_stopped_run_resumes_bit_equal(train, tmp_path, discrete: bool) -> None:
    data = homing(discrete=discrete)

    def fresh(seed: int = 0) -> BehaviorCloning:
        return make_algorithm(make_policy(data, DISCRETE if discrete else BOX), seed=seed)

    uninterrupted, other, stopped, resumed = fresh(), fresh(seed=1), fresh(), fresh()
    for algorithm in (uninterrupted, other):
        train(algorithm, data, 6)
    train(stopped, data, 3)
    save_resume(tmp_path / "resume.pt", stopped.resume_state())
    resumed.resume(load_resume(tmp_path / "resume.pt"))
    assert int(resumed.updates) == 3
    train(resumed, data, 3)
    assert resumed.lr_schedulers[0].last_epoch == 6
    one, two, three = (a.policy.state_dict() for a in (resumed, uninterrupted, other))
    assert all(torch.equal(one[name], two[name]) for name in two)
    assert not torch.equal(two["actor.0.weight"], three["actor.0.weight"])


def test_a_foreign_state_is_refused() -> None:
    with pytest.raises(CheckpointError, match="is of 'Other', not of 'BehaviorCloning'"):
        make_algorithm(make_policy(homing())).resume({"algorithm": "Other"})


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("space", "arguments", "message"),
    [
        (gym.spaces.Box(-1, 1, (2, 2)), {}, r"`action_space` must be a Box with one axis or a Discrete"),
        (gym.spaces.MultiDiscrete([2, 2]), {}, r"`action_space` must be a Box with one axis or a Discrete"),
        (gym.spaces.Box(-1, 1, (2,)), {}, r"`act` must normalize the 2 entries of the action space"),
        (BOX, {"deterministic": False}, r'`deterministic` must be True with loss="mse".*use loss="nll"'),
        (BOX, {"hidden": (0,)}, r"`hidden\[0\]` must be at least 1\. Received 0"),
    ],
)
def test_bad_arguments_are_refused(space, arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        make_policy(homing(), space, **arguments)


def test_an_unknown_loss_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "jaxtyping_disable", True)  # as users run it
    with pytest.raises(ValueError, match=r"`loss` must be one of \['mse', 'nll'\]\. Received 'mae'"):
        make_policy(homing(), loss="mae")


def test_data_of_another_kind_is_refused(train, walks) -> None:
    steered, numbered = homing(), homing(discrete=True)
    with pytest.raises(ValueError, match=r"observations have 2 entries, but the policy was made for 1"):
        train(make_algorithm(make_policy(steered)), walks(), 1)
    with pytest.raises(ValueError, match=r"`act` must be .* Box.*, floating-point numbers\. Received int64"):
        train(make_algorithm(make_policy(steered)), numbered, 1)
    with pytest.raises(ValueError, match=r"`act` must be .* Discrete.*, integers\. Received float32"):
        train(make_algorithm(make_policy(numbered, DISCRETE)), steered, 1)
    with pytest.raises(ValueError, match=r"`act` must be .* Discrete\(3\), 0\.\.2\. Received [345] at step"):
        train(make_algorithm(make_policy(numbered, gym.spaces.Discrete(3))), numbered, 1)


def test_observations_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`obs` must be finite\. Received NaN or infinity"):
        make_policy(homing())(Batch(obs=np.array([[0.0], [np.nan]]), info={}))


@pytest.mark.usefixtures("without_type_checks")
def test_another_policy_is_refused(walks) -> None:
    policy = DiffusionPolicy.fit(walks(), gym.spaces.Box(-1, 1, (2,)), horizon=4, device="cpu")
    message = "`policy` must be a BehaviorCloningPolicy. Received a DiffusionPolicy; build one with"
    with pytest.raises(TypeError, match=message):
        make_algorithm(policy)
