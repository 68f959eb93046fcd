"""Adversarial imitation: that it learns, what its discriminator sees, and that it resumes."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from line_env import BOX, STEPS, TWO, assert_equal, dqn, filled, ppo, sac, seeded, to_the_right, train
from tianshou.algorithm.algorithm_base import TrainingStats
from tianshou.algorithm.optim import AdamOptimizerFactory, LRSchedulerFactoryLinear
from tianshou.utils.torch_utils import policy_within_training_step

from rlpriors import checkpoint
from rlpriors.agents import AdversarialIRL, AdversarialIRLOnPolicy, AdversarialSettings
from rlpriors.agents.imitation.log_prob import log_prob
from rlpriors.agents.online.relabel import Relabel
from rlpriors.checkpoint import CheckpointError
from rlpriors.data.buffers import to_buffer
from rlpriors.data.normalize import Normalizer
from rlpriors.rewards import (
    AIRLReward,
    AIRLSettings,
    DRAILReward,
    DRAILSettings,
    GAILReward,
    GAILSettings,
    MLPReward,
    RewardSettings,
    load_reward,
)

NORMALIZER = Normalizer(torch.tensor([0.5, 0.0]), torch.tensor([1.0, 2.0]))
DISCRIMINATORS = {
    "gail": lambda **more: GAILReward(GAILSettings(1, 1, hidden=(32,), **more), NORMALIZER),
    "airl": lambda **more: AIRLReward(
        AIRLSettings(1, 1, hidden=(32,), potential_hidden=(32,), gamma=0.9, **more), NORMALIZER
    ),
    "drail": lambda **more: DRAILReward(DRAILSettings(1, 1, hidden=(32,), n_draws=2, **more), NORMALIZER),
}


def adversarial(kind: str = "gail", inner=None, lr: float = 3e-3, **more):
    inner = seeded(sac) if inner is None else inner
    wrapper = AdversarialIRLOnPolicy if type(inner).__name__ == "PPO" else AdversarialIRL
    discrete = inner.policy.action_space is TWO
    if discrete:
        more.setdefault("demonstrations", to_the_right(action_space=TWO))
    discriminator = seeded(DISCRIMINATORS[kind], **({"n_actions": 2} if discrete else {}))
    return wrapper(
        inner, discriminator=discriminator, optim=AdamOptimizerFactory(lr=lr),
        **({"demonstrations": to_the_right()} | more),
    )  # fmt: skip


def update(algorithm, buffer, n: int = 1, batch_size: int = 32) -> TrainingStats:
    with policy_within_training_step(algorithm.policy):
        for _ in range(n):
            stats = algorithm.update(buffer, batch_size)
    return stats


@pytest.mark.parametrize("kind", DISCRIMINATORS)
def test_over_sac_it_does_what_was_demonstrated(kind: str) -> None:
    """The environment pays for the left; the demonstrations go to about 1.8, and 2 is the best."""
    algorithm = adversarial(kind, lr=1e-2)
    # Far from standing still, 0; how far after so few updates depends on rounding, and so on threads.
    assert train(algorithm, 400) > 0.7
    right, left = (
        algorithm.discriminator.score([[x]], [[a]], [[x]])[0] for x, a in ((1.2, 1.8), (-1.2, -1.8))
    )
    assert right > left


@pytest.mark.slow
@pytest.mark.parametrize("kind", DISCRIMINATORS)
@pytest.mark.parametrize("space", [BOX, TWO], ids=["box", "discrete"])
def test_over_ppo_it_does_what_was_demonstrated(kind: str, space) -> None:
    assert train(adversarial(kind, seeded(ppo, space)), 3000) > 1.0


@pytest.mark.parametrize("kind", ["gail"])
def test_over_dqn_it_does_what_was_demonstrated(kind: str) -> None:
    assert train(adversarial(kind, seeded(dqn)), 500) > 1.2


def test_discriminator_and_policy_see_equal_units() -> None:
    algorithm = adversarial()
    assert algorithm.demonstrations.act.min() > 1.5  # of at most 2
    agent = algorithm.agent_transitions(filled(algorithm)[np.arange(60)])
    assert 1.5 < agent.act.abs().max() <= 2
    from_a_buffer = adversarial(demonstrations=to_buffer(to_the_right())).demonstrations
    for part, other in zip(algorithm.demonstrations, from_a_buffer, strict=True):
        assert torch.equal(part, other)


def test_the_rewards_that_the_policy_learns_from_are_the_discriminators() -> None:
    algorithm = adversarial("airl")
    buffer = filled(algorithm)
    rows = np.arange(10)
    with policy_within_training_step(algorithm.policy):
        algorithm._preprocess_batch(buffer[rows], buffer, rows)
    transition = algorithm.agent_transitions(buffer[rows])
    with torch.no_grad():
        paid = algorithm.discriminator.training_reward(*transition)
    np.testing.assert_allclose(buffer.rew[rows], paid.numpy(), atol=1e-6)
    assert not np.allclose(paid, algorithm.discriminator(*transition).detach())  # without the shaping


@pytest.mark.parametrize("space", [BOX, TWO], ids=["box", "discrete"])
def test_on_policy_airl_pays_what_the_paper_does(space) -> None:
    """log D - log(1 - D) = f - log pi (1710.11248, algorithm 1); GAIL has no log pi to take off."""
    algorithm = adversarial("airl", seeded(ppo, space))
    buffer = filled(algorithm)
    rows = np.arange(10)
    batch = buffer[rows]
    agent = algorithm.agent_transitions(batch)
    with torch.no_grad():
        f = algorithm.discriminator.training_reward(*agent)
        log_prob = algorithm.policy(batch).dist.log_prob(torch.as_tensor(batch.act))
    d = torch.sigmoid(f - log_prob).double()
    np.testing.assert_allclose(algorithm.compute_rewards(batch), (d.log() - (1 - d).log()).numpy(), atol=1e-4)
    gail = adversarial("gail", seeded(ppo, space))
    np.testing.assert_allclose(gail.compute_rewards(batch), gail.discriminator(*agent).detach(), atol=1e-6)


def test_the_discriminators_statistics_are_reported() -> None:
    algorithm = adversarial(lr=1e-2)
    stats = update(algorithm, filled(algorithm), 40).get_loss_stats_dict()
    assert stats["demonstration_accuracy"] > 0.8
    assert stats["agent_accuracy"] > 0.5
    assert 0 < stats["discriminator_loss"] < 1.3
    assert stats["gradient_penalty"] > 0
    assert "critic1_loss" in stats


def test_the_update_interval_and_number() -> None:
    def changes(**settings) -> list[bool]:
        algorithm = adversarial(settings=AdversarialSettings(**settings))
        buffer, changed = filled(algorithm), []
        for _ in range(4):
            before = copy.deepcopy(algorithm.discriminator.state_dict())
            update(algorithm, buffer)
            after = algorithm.discriminator.state_dict()
            changed.append(any(not torch.equal(before[name], after[name]) for name in before))
        return changed

    assert changes() == [True] * 4
    assert changes(update_interval=3, n_discriminator_updates=2, batch_size=8) == [True, False, False, True]


@pytest.mark.parametrize(("weight", "center"), [(0.0, 0.0), (10.0, 0.0), (10.0, 1.0)])
def test_the_gradient_penalty_bounds_the_slope(weight: float, center: float) -> None:
    settings = AdversarialSettings(gradient_penalty=weight, penalty_center=center)
    algorithm = adversarial(lr=1e-2, settings=settings)
    update(algorithm, filled(algorithm), 100)
    x = torch.linspace(-1, 1, 20)[:, None].repeat(1, 2).requires_grad_()
    logit = algorithm.discriminator.logits(x, torch.zeros(20, dtype=torch.bool))
    (slope,) = torch.autograd.grad(logit.sum(), x)
    steepness = slope.norm(dim=1).mean().item()
    expected = {(0.0, 0.0): (1.0, 99.0), (10.0, 0.0): (0.0, 0.3), (10.0, 1.0): (0.6, 1.4)}
    low, high = expected[weight, center]
    assert low < steepness < high


def test_without_a_weight_the_penalty_spares_airl() -> None:
    weights = {kind: adversarial(kind).penalty_weight for kind in DISCRIMINATORS}
    assert weights == {"gail": 1.0, "airl": 0.0, "drail": 1.0}
    assert adversarial("airl", settings=AdversarialSettings(gradient_penalty=2.0)).penalty_weight == 2.0


def test_the_temperature_of_airl_is_sacs() -> None:
    settings = AdversarialSettings(temperature=0.05)
    assert adversarial("airl", seeded(sac, alpha=0.05), settings=settings).temperature == 0.05
    assert adversarial("airl", seeded(sac, alpha="auto")).temperature == 1.0
    for alpha, received in ((0.2, "an alpha of 0.2"), ("auto", "an alpha of an automatic one")):
        with pytest.raises(ValueError, match=f"must be the fixed alpha of SAC. Received 0.05 and {received}"):
            adversarial("airl", seeded(sac, alpha=alpha), settings=settings)
    with pytest.raises(ValueError, match=r"`temperature` must be None for a GAILReward.* Received 0.05"):
        adversarial("gail", settings=settings)


def test_the_temperature_divides_f() -> None:
    """At temperature T the discriminator of f is that of f / T at temperature 1."""
    hot, warm = (
        adversarial("airl", seeded(sac, alpha=t), settings=AdversarialSettings(temperature=t))
        for t in (2.0, 1.0)
    )
    for layer in (hot.discriminator.net[-1], hot.discriminator.potential_net[-1]):
        layer.weight.data *= 2  # r and phi are linear in these
        layer.bias.data *= 2
    losses = []
    for algorithm in (hot, warm):
        batch = algorithm.agent_transitions(filled(algorithm)[np.arange(20)])
        algorithm.update_discriminator([batch], algorithm.generator())
        losses.append(algorithm._last["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_on_policy_the_temperature_multiplies_the_log_probability() -> None:
    rewards = []
    for t in (None, 3.0):
        settings = AdversarialSettings(temperature=t)
        algorithm = adversarial("airl", seeded(ppo), settings=settings)
        rewards.append(algorithm.compute_rewards(filled(algorithm)[np.arange(5)]))
    batch = filled(algorithm)[np.arange(5)]
    agent = algorithm.agent_transitions(batch)
    density = log_prob(algorithm.policy, agent.obs, agent.act).double().numpy()
    np.testing.assert_allclose(rewards[0] - rewards[1], 2 * density, rtol=1e-5)


@pytest.mark.parametrize("kind", DISCRIMINATORS)
def test_it_resumes_bit_equal(kind: str, tmp_path) -> None:
    def fresh():
        optim = AdamOptimizerFactory(lr=1e-3)
        optim.with_lr_scheduler_factory(LRSchedulerFactoryLinear(10, 10, 1))
        inner = seeded(sac, alpha="auto")
        algorithm = AdversarialIRL(
            inner, discriminator=seeded(DISCRIMINATORS[kind]), demonstrations=to_the_right(), optim=optim
        )
        return algorithm

    algorithm = fresh()
    buffer = filled(algorithm)
    update(algorithm, buffer, 3)
    checkpoint.save_resume(tmp_path / "resume.pt", algorithm.resume_state())
    saved_buffer = copy.deepcopy(buffer)
    torch.manual_seed(1)
    update(algorithm, buffer, 3)

    resumed = fresh()
    resumed.resume(checkpoint.load_resume(tmp_path / "resume.pt"))
    torch.manual_seed(1)
    update(resumed, saved_buffer, 3)
    went_on, again = algorithm.resume_state(), resumed.resume_state()
    assert int(again["modules"]["updates"]) == 6
    assert_equal(again, went_on)
    rates = [group["lr"] for group in resumed.optim.state_dict()["param_groups"]]
    assert rates[0] < 1e-3  # the schedule moved


@pytest.mark.parametrize("make", [lambda: ppo(), lambda: dqn()], ids=["ppo", "dqn"])
def test_other_algorithms_resume_too(make) -> None:
    algorithm = adversarial("gail", seeded(make))
    buffer = filled(algorithm)
    with policy_within_training_step(algorithm.policy):
        for _ in range(3):
            algorithm.update(buffer, 32, 1) if "OnPolicy" in type(algorithm).__name__ else algorithm.update(
                buffer, 32
            )
    other = adversarial("gail", seeded(make, seed=5))
    state = algorithm.resume_state()
    other.resume(state)
    assert_equal(other.resume_state(), state)
    other.resume(state)  # what it was given is not used up


def test_a_foreign_state_is_refused() -> None:
    state = adversarial("gail").resume_state()
    with pytest.raises(
        CheckpointError, match="is of 'AdversarialIRL around SAC', not of 'AdversarialIRL around"
    ):
        adversarial("gail", seeded(dqn)).resume(state)
    with pytest.raises(CheckpointError, match="does not fit AdversarialIRL around SAC"):
        adversarial("gail", seeded(sac, hidden=(8,))).resume(state)
    with pytest.raises(CheckpointError, match="does not fit"):
        adversarial("drail").resume(state)


def test_tianshous_own_checkpoints_load() -> None:
    algorithm, other = adversarial(), adversarial(inner=seeded(sac, seed=3))
    update(algorithm, filled(algorithm))
    state = algorithm.state_dict()
    for _ in range(2):
        other.load_state_dict(state)
    for name, value in other.policy.state_dict().items():
        assert torch.equal(value, algorithm.policy.state_dict()[name])


def test_the_learned_reward_is_published_like_any_other(tmp_path) -> None:
    algorithm = adversarial("airl")
    update(algorithm, filled(algorithm), 2)
    loaded = load_reward(algorithm.discriminator.save(tmp_path), device="cpu")
    rows = [[0.3], [1.0]]
    np.testing.assert_array_equal(
        loaded.score(rows, rows, rows), algorithm.discriminator.score(rows, rows, rows)
    )


@pytest.mark.parametrize("margin", [0.01, 0.3])
def test_sacs_log_probability_by_hand(margin: float) -> None:
    policy = seeded(sac).policy
    obs, act = torch.tensor([[0.1], [0.1], [0.1]]), torch.tensor([[1.0], [2.0], [-5.0]])
    (loc, scale), _ = policy.actor(obs)
    squashed = torch.tensor([[0.5], [1 - margin], [margin - 1]])  # in units of the bound
    normal = torch.distributions.Normal(loc, scale)
    transform = torch.distributions.TanhTransform()
    expected = torch.distributions.TransformedDistribution(normal, transform).log_prob(squashed)[:, 0]
    torch.testing.assert_close(log_prob(policy, obs, act, margin), expected.detach(), rtol=1e-4, atol=1e-4)


def test_ppos_log_probability_by_hand() -> None:
    policy = seeded(ppo).policy
    obs, act = torch.tensor([[0.1], [0.2]]), torch.tensor([[1.0], [-2.0]])
    loc, scale = policy.actor(obs)[0]
    expected = torch.distributions.Normal(loc, scale).log_prob(act / 2)[:, 0]
    torch.testing.assert_close(log_prob(policy, obs, act), expected.detach())


def test_sizes_and_policies_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`demonstrations` must have 2 entries.*Received 1 and 1"):
        AdversarialIRL(
            seeded(sac), discriminator=GAILReward(GAILSettings(2, 1)), demonstrations=to_the_right(),
            optim=AdamOptimizerFactory(),
        )  # fmt: skip
    with pytest.raises(
        ValueError, match=r"`discriminator` is a AIRLReward.*Received a DiscreteQLearningPolicy"
    ):
        adversarial("airl", seeded(dqn))


@pytest.mark.usefixtures("without_type_checks")
def test_arguments_of_another_class_are_refused() -> None:
    more = {"demonstrations": to_the_right(), "optim": AdamOptimizerFactory()}
    reward, gail = MLPReward(RewardSettings(1, 1)), GAILReward(GAILSettings(1, 1))
    for kind, inner in ((AdversarialIRL, sac), (AdversarialIRLOnPolicy, ppo)):
        with pytest.raises(TypeError, match=r"`discriminator` must be .* Received a MLPReward; use a GAIL"):
            kind(seeded(inner), discriminator=reward, **more)
        with pytest.raises(TypeError, match=r"`settings` must be an AdversarialSettings\. Received \{\}"):
            kind(seeded(inner), discriminator=gail, settings={}, **more)
    with pytest.raises(TypeError, match="Received a PPO; use `AdversarialIRLOnPolicy`"):
        AdversarialIRL(seeded(ppo), discriminator=gail, **more)
    with pytest.raises(TypeError, match="Received a SAC; use `AdversarialIRL` for an off-policy one"):
        AdversarialIRLOnPolicy(seeded(sac), discriminator=gail, **more)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"n_discriminator_updates": 0}, "`n_discriminator_updates` must be at least 1. Received 0"),
        ({"update_interval": 0}, "`update_interval` must be at least 1"),
        ({"batch_size": -1}, "`batch_size` must be at least 1"),
        ({"gradient_penalty": -0.5}, "`gradient_penalty` must be at least 0. Received -0.5"),
        ({"penalty_center": -1.0}, "`penalty_center` must be at least 0"),
        ({"temperature": 0.0}, "`temperature` must be above 0. Received 0.0"),
        ({"action_margin": 1.0}, "`action_margin` must be between 0 and 1. Received 1.0"),
    ],
)
def test_settings_have_bounds(bad: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AdversarialSettings(**bad)


def test_the_demonstrations_of_these_tests() -> None:
    store = to_the_right()
    assert store.lengths.tolist() == [STEPS] * 4
    assert 1.4 < store.obs[STEPS, 0] < 2.3


@pytest.mark.parametrize("kind", DISCRIMINATORS)
def test_demonstrations_of_no_action_are_refused(kind: str) -> None:
    right = to_the_right(action_space=TWO)
    algorithm = seeded(dqn) if kind != "airl" else seeded(ppo, TWO)
    for actions, received in (
        (right.act + 1, "2 at step"),
        (right.act - 2, "-1 at"),
        (right.act * 1.0, "float"),
    ):
        with pytest.raises(ValueError, match=rf"`demonstrations` .* Discrete\(2\), .* Received {received}"):
            adversarial(kind, algorithm, demonstrations=replace(right, act=actions))


def test_a_discriminator_of_other_actions_is_refused() -> None:
    reward = GAILReward(GAILSettings(1, 1, n_actions=3))
    with pytest.raises(ValueError, match=r"`reward` .* the policy, Discrete\(2\)\. Received Discrete\(3\)"):
        Relabel(seeded(dqn), reward)
