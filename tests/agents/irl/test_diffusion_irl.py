"""DiffusionIRL: what it learns where the prior is known, and what an update leaves alone."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.utils import TensorboardLogger  # noqa: TID251 - that it reads our statistics is tested here
from torch.utils.tensorboard import SummaryWriter  # noqa: TID251

from rlpriors.agents import DiffusionIRL, DiffusionIRLSettings
from rlpriors.agents.irl.diffusion_irl import DiffusionIRLStats
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.diffusion import PlannerSettings
from rlpriors.rewards import MLPReward, RewardSettings, load_reward

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]
TAGS = {"loss", "demonstration_reward", "sample_reward", "reward_gap", "progress_loss", "gradient_penalty"}


@pytest.mark.parametrize("drift", [0.5, -0.5], ids=["right", "left"])
def test_demonstrations_that_go_somewhere_make_it_worth_being_there(
    walks, gaussian_policy, make_algorithm, train, tmp_path, drift: float
) -> None:
    data, demonstrations = walks(n=200, dim=1), walks(n=40, dim=1, drift=drift, seed=1)
    policy = gaussian_policy(data, planner=PlannerSettings(n_steps=5))
    algorithm = make_algorithm(DiffusionIRL, data, policy=policy, hidden=(32, 32))
    train(algorithm, demonstrations, 100, batch_size=64)
    x = np.linspace(-1, 1, 50, dtype=np.float32)[:, None]
    learned = policy.reward.score(x, 0 * x, x)
    assert spearmanr(np.sign(drift) * x[:, 0], learned).statistic > 0.8
    assert np.ptp(learned) > 0.1
    # Planning by it goes there too.
    obs, _ = policy.layout.unpack(policy.plan(np.zeros((50, 1))))
    free = policy.layout.unpack(policy.plan(np.zeros((50, 1)), reward=lambda o, a, n, t: 0 * n[:, 0]))[0]
    assert np.sign(drift) * (obs - free)[:, -1].mean() > 0.02
    # And so does what is published.
    again = load_reward(algorithm.reward.save(tmp_path), device="cpu")
    assert np.array_equal(again.score(x, 0 * x, x), learned)


@pytest.mark.parametrize("device", DEVICES)
def test_an_update_leaves_the_prior_alone(walks, make_algorithm, train, device: str) -> None:
    data = walks()
    algorithm = make_algorithm(DiffusionIRL, data, device=device)
    denoiser = algorithm.policy.denoiser
    before = [p.clone() for p in denoiser.parameters()]
    train(algorithm, data, 3)
    for p, q in zip(denoiser.parameters(), before, strict=True):
        assert torch.equal(p, q)
        assert p.grad is None
        assert not p.requires_grad
    assert all(p.grad is not None for p in algorithm.online.parameters())
    assert all(p.grad is None for p in algorithm.reward.parameters())
    assert algorithm.policy.plan(np.zeros((3, 2))).device.type == device


def test_the_policy_plans_by_the_average_of_what_is_learned(walks, make_algorithm, train) -> None:
    data = walks()
    settings = DiffusionIRLSettings(ema_decay=0.75)
    algorithm = make_algorithm(DiffusionIRL, data, settings=settings)
    assert algorithm.policy.reward is algorithm.reward
    before = [p.clone() for p in algorithm.reward.parameters()]
    train(algorithm, data, 1)
    for average, first, online in zip(
        algorithm.reward.parameters(), before, algorithm.online.parameters(), strict=True
    ):
        assert not average.requires_grad
        torch.testing.assert_close(average, 0.75 * first + 0.25 * online.detach())


def test_tensorboard_shows_the_statistics(walks, make_algorithm, train, tmp_path) -> None:
    data = walks()
    writer = SummaryWriter(tmp_path)
    algorithm = make_algorithm(DiffusionIRL, data)
    train(algorithm, data, 3, logger=TensorboardLogger(writer, update_interval=1))
    writer.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert {f"update/{tag}" for tag in TAGS} <= set(events.Tags()["scalars"])
    series = {tag: [event.value for event in events.Scalars(f"update/{tag}")] for tag in TAGS}
    gap = np.subtract(series["demonstration_reward"], series["sample_reward"])
    np.testing.assert_allclose(series["reward_gap"], gap, atol=1e-6)
    assert set(DiffusionIRLStats.__annotations__) == TAGS | {"objective"}


def test_penalties_keep_the_reward_small(walks, make_algorithm, train) -> None:
    data, demonstrations = walks(), walks(drift=0.5, seed=1)

    def size(**penalties: float) -> float:
        algorithm = make_algorithm(
            DiffusionIRL, data, lr=1e-2, settings=DiffusionIRLSettings(**penalties, ema_decay=0.0)
        )
        train(algorithm, demonstrations, 15)
        generator = torch.Generator().manual_seed(0)
        x = 2 * torch.rand(100, 8, 4, generator=generator) - 1
        return algorithm.policy.layout.rewards(algorithm.reward, x).square().mean().item()

    free = size(gradient_penalty=0.0, magnitude_penalty=0.0)
    assert size(gradient_penalty=1.0, magnitude_penalty=0.0) < 0.9 * free
    assert size(gradient_penalty=0.0, magnitude_penalty=10.0) < 0.9 * free


@pytest.mark.parametrize("zero", ["gradient_penalty", "magnitude_penalty"])
def test_a_penalty_without_weight_is_not_computed(walks, make_algorithm, train, monkeypatch, zero) -> None:
    scored, data = [], walks()
    settings = DiffusionIRLSettings(progress_weight=0.0, movement_fraction=0.0, **{zero: 0.0})
    algorithm = make_algorithm(DiffusionIRL, data, settings=settings)
    rewards = type(algorithm.policy.layout).rewards

    def spy(layout, reward, x):
        scored.append(x.requires_grad) if reward is algorithm.online and torch.is_grad_enabled() else None
        return rewards(layout, reward, x)

    monkeypatch.setattr(type(algorithm.policy.layout), "rewards", spy)
    update, stats = algorithm._update_with_batch, []
    algorithm._update_with_batch = lambda batch: stats.append(update(batch)) or stats[-1]
    train(algorithm, data, 1)
    # Demonstrations and samples always; then the point between them, or points anywhere.
    assert scored == [False, False, zero != "gradient_penalty"]
    assert (stats[0].gradient_penalty == 0) == (zero == "gradient_penalty")
    assert algorithm.temporal_variation.any() == (zero != "gradient_penalty")


@pytest.mark.parametrize(
    "settings",
    [
        DiffusionIRLSettings(temporal_variation_exponent=1.0, gradient_penalty=0.1),
        DiffusionIRLSettings(slowness_penalty=10.0),
    ],
    ids=["temporal_variation", "slowness"],
)
def test_a_reward_of_all_entries_ignores_fast_entries(
    walks, make_algorithm, make_policy, train, settings: DiffusionIRLSettings
) -> None:
    """Demonstrations differ in where they are and in a second entry that is drawn anew in each step."""

    def with_flicker(store: EpisodeStore, mean: float) -> EpisodeStore:
        flicker = np.random.default_rng(5).normal(mean, 0.5, (len(store.obs), 1)).astype(np.float32)
        return replace(store, obs=np.concatenate([store.obs, flicker], 1))

    data = with_flicker(walks(n=100, dim=1), 0.0)
    demonstrations = with_flicker(walks(n=40, dim=1, drift=0.5, seed=1), 0.5)

    def share(settings: DiffusionIRLSettings) -> float:
        """Return the fraction of the reward's slope along the position."""
        policy = make_policy(data)
        reward = MLPReward(RewardSettings(2, 1, hidden=(16,)), policy.layout.obs)
        # Without the progress loss, which ignores fast entries by itself.
        settings = replace(settings, progress_weight=0.0, movement_fraction=0.0)
        algorithm = make_algorithm(
            DiffusionIRL, data, policy=policy, reward=reward, lr=1e-2, settings=settings, prior_data=data
        )
        train(algorithm, demonstrations, 60, batch_size=64)
        obs = torch.as_tensor(demonstrations.obs[:500]).requires_grad_()
        algorithm.reward(obs, obs[:, :1], obs, torch.zeros(len(obs), dtype=torch.bool)).sum().backward()
        slope = (obs.grad * policy.layout.obs.scale).abs().mean(0)
        return float(slope[0] / slope.sum())

    assert share(settings) > share(DiffusionIRLSettings(temporal_variation_exponent=0.0)) + 0.1


@pytest.mark.parametrize(
    ("field", "bad", "message"),
    [
        ("gradient_penalty", -1.0, r"`gradient_penalty` must be at least 0\. Received -1\.0"),
        (
            "temporal_variation_exponent",
            -1.0,
            r"`temporal_variation_exponent` must be at least 0\. Received -1\.0",
        ),
        ("slowness_penalty", -1.0, r"`slowness_penalty` must be at least 0\. Received -1\.0"),
        ("progress_weight", -1.0, r"`progress_weight` must be at least 0\. Received -1\.0"),
        ("movement_fraction", 1.5, r"`movement_fraction` must be in \[0, 1\]\. Received 1\.5"),
        ("magnitude_penalty", -1.0, r"`magnitude_penalty` must be at least 0\. Received -1\.0"),
        ("gradient_penalty", float("nan"), r"`gradient_penalty` must be a finite number\. Received nan"),
        ("ema_decay", 1.0, r"`ema_decay` must be in \[0, 1\)\. Received 1\.0"),
    ],
)
def test_bad_settings(field: str, bad, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DiffusionIRLSettings(**{field: bad})


def test_warnings_before_training(walks, make_policy, make_algorithm, caplog) -> None:
    data = walks()
    policy = make_policy(data, stride=2)
    settings = RewardSettings(policy.layout.obs_dim, policy.layout.act.dim, inputs=("obs", "act"))
    risky = DiffusionIRLSettings(allow_variable_horizon=True)
    algorithm = make_algorithm(DiffusionIRL, data, policy=policy, reward=MLPReward(settings), settings=risky)
    ends = replace(data, terminated=data.truncated, truncated=data.terminated)
    short = EpisodeStore.from_episodes([*(ends.episode(i) for i in range(3)), walks(1, steps=4).episode(0)])
    with caplog.at_level(logging.WARNING):
        algorithm.process_buffer(to_buffer(short))
    messages = " ".join(record.message for record in caplog.records)
    assert "The reward reads act, and is trained on time steps of 2 environment steps" in messages
    assert "1 of 4 episodes are shorter than a window of 16 steps" in messages
    assert "3 of 4 demonstrations end by termination" in messages


@pytest.mark.usefixtures("without_type_checks")
def test_bad_arguments_are_refused(walks, make_algorithm, make_policy) -> None:
    data = walks(dim=1)
    reward = MLPReward(RewardSettings(1, 1))
    fits = {"policy": make_policy(data), "optim": AdamOptimizerFactory(), "reward": reward}
    discrete = MLPReward(RewardSettings(1, 1, inputs=("act",), n_actions=3))
    with pytest.raises(ValueError, match=r"`reward` must have the action space of the policy.*Discrete\(3\)"):
        DiffusionIRL(**fits | {"reward": discrete})
    for name, wrong, message in (
        ("settings", {}, r"must be a DiffusionIRLSettings\. Received \{\}; write"),
        ("reward", "folder", r"must be a RewardModel or TrajectoryValue\. Received 'folder'; build one"),
        ("policy", reward, r"must be a DiffuserPolicy\. Received a MLPReward"),
    ):
        with pytest.raises(TypeError, match=f"`{name}` {message}"):
            DiffusionIRL(**fits | {name: wrong})


def test_a_diverging_reward_raises(walks, make_algorithm, train) -> None:
    data = walks()
    algorithm = make_algorithm(DiffusionIRL, data)
    with torch.no_grad():
        algorithm.online.net[0].weight.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="loss is nan in update 0"):
        train(algorithm, data, 1)
