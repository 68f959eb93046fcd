"""Relative objective: the gradient between two known models, and the fine-tuning of the second."""

import logging

import numpy as np
import pytest
import torch
from normals import HORIZON, NormalDenoiser, fit, linear_reward, normal_policy, normal_update, shifted
from scipy.stats import spearmanr

from rlpriors.agents import DiffusionIRL
from rlpriors.agents.irl.objectives import Relative, RelativeSettings
from rlpriors.agents.offline_algorithm import WindowBuffer
from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.diffusion import PlannerSettings


@pytest.mark.parametrize("weight", [1.0, 2.0, 0.0])
def test_the_gradient_between_two_normals(weight: float) -> None:
    """E[x_0 | x_t] differs by (1 - abar) m between means m and 0, and sigma_t^2 is 1 - abar: w grad J = m.

    The reward's slope is then m / w at every frame that it sees; at weight 0, plans are only ranked and
    the reward is learned as for 1.  The last frame's observation, which r(s) does not see, and nothing
    else, stays unmatched: (1 - abar)^2 m^2 a window.
    """
    policy, reward = normal_policy(weight), linear_reward()
    objective = Relative(RelativeSettings(output_penalty=0.0), policy)
    objective.expert = NormalDenoiser(policy.process, shifted(0.5)).requires_grad_(False)
    update = normal_update(policy, reward, 0.5, 64)
    fit(objective, update, [reward.net[0].weight])
    assert reward.net[0].weight.item() == pytest.approx(0.5 / (weight or 1.0), abs=1e-4)
    stats = objective(update._replace(generator=torch.Generator().manual_seed(1))).stats
    # 0.25 (1 - abar)^2 at each of time steps 1, 2 and 3; that of step 3 is left.
    assert stats["mismatch"] == pytest.approx(stats["difference"] / 3, rel=1e-4)


def test_the_level_is_drawn_to_zero() -> None:
    policy, reward = normal_policy(), linear_reward()
    with torch.no_grad():
        reward.net[0].bias.fill_(3.0)
    update = normal_update(policy, reward, 0.5, 8)
    losses = []
    for penalty in (0.0, 0.1):
        objective = Relative(RelativeSettings(output_penalty=penalty), policy)
        again = update._replace(generator=torch.Generator().manual_seed(1))
        losses.append(objective(again).loss.item())
    assert losses[1] - losses[0] == pytest.approx(0.1 * 3.0**2)


def demonstrations(by: float, n: int) -> WindowBuffer:
    """Windows around `shifted(by)`, as episodes of one window each."""
    rng = np.random.default_rng(0)
    x = shifted(by).numpy() + rng.standard_normal((n, HORIZON, 2)).astype(np.float32)
    episodes = []
    for window in x:
        obs, act = np.concatenate([window[:, :1], window[-1:, :1]]), window[:, 1:]
        episodes.append(Episode(obs, act, *np.zeros((3, HORIZON))))
    return WindowBuffer(EpisodeStore.from_episodes(episodes), HORIZON, 1, None, 0)


def test_the_prior_is_fine_tuned_once(caplog) -> None:
    """Half the way between the means is far more than the average, 0.96 to the 100, keeps of the start."""
    policy, reward = normal_policy(), linear_reward()
    settings = RelativeSettings(expert_updates=100, expert_lr=0.02, expert_ema_decay=0.96)
    experts = []
    for _ in range(2):
        objective = Relative(settings, policy)
        objective.prepare(policy, demonstrations(0.5, 500), None)
        with caplog.at_level(logging.INFO):
            objective(normal_update(policy, reward, 0.5, 128, step=0))
        experts.append(objective.expert.mean.clone())
        objective(normal_update(policy, reward, 0.5, 128, step=1))
        assert torch.equal(objective.expert.mean, experts[-1])
    assert torch.equal(*experts)
    torch.testing.assert_close(experts[0][1:], shifted(0.5)[1:], atol=0.15, rtol=0)
    assert experts[0][0, 0] == 0  # known, and so never learned
    assert torch.equal(policy.denoiser.mean, shifted(0.0))
    assert policy.denoiser.mean.grad is None
    assert caplog.text.count("Fine-tuning the prior on the demonstrations: 100 updates") == 2


def test_the_prior_is_taken_as_it_is_when_learning_begins() -> None:
    """It may have been read from a file after the algorithm was made."""
    policy = normal_policy()
    objective = Relative(RelativeSettings(expert_updates=1, expert_lr=1e-6), policy)
    with torch.no_grad():
        policy.denoiser.mean.fill_(2.0)
    objective.prepare(policy, demonstrations(0.5, 5), None)
    objective(normal_update(policy, linear_reward(), 0.5, 4, step=0))
    torch.testing.assert_close(objective.expert.mean, torch.full((HORIZON, 2), 2.0))


@pytest.mark.parametrize("drift", [0.5, -0.5], ids=["right", "left"])
def test_demonstrations_that_go_somewhere_make_it_worth_being_there(
    walks, gaussian_policy, make_algorithm, train, drift: float
) -> None:
    data, demonstrations = walks(n=200, dim=1), walks(n=40, dim=1, drift=drift, seed=1)
    policy = gaussian_policy(data, planner=PlannerSettings(n_steps=5))
    settings = RelativeSettings(expert_updates=50, expert_lr=5e-3, expert_ema_decay=0.9)
    algorithm = make_algorithm(
        DiffusionIRL, data, policy=policy, hidden=(32, 32), objective=settings, prior_data=data, lr=3e-3
    )
    train(algorithm, demonstrations, 50, batch_size=64)
    x = np.linspace(-1, 1, 50, dtype=np.float32)[:, None]
    learned = policy.reward.score(x, 0 * x, x)
    assert spearmanr(np.sign(drift) * x[:, 0], learned).statistic > 0.8
    assert np.ptp(learned) > 0.1


@pytest.mark.parametrize("n", [1, 2, 3])
def test_small_batches(n: int) -> None:
    policy, reward = normal_policy(), linear_reward()
    contrast = Relative(RelativeSettings(), policy)(normal_update(policy, reward, 0.5, n))
    contrast.loss.backward()
    assert contrast.samples.shape == (n, HORIZON, 2)
    assert not contrast.samples.requires_grad


@pytest.mark.parametrize(
    ("field", "bad", "message"),
    [
        ("expert_updates", 0, r"`expert_updates` must be at least 1\. Received 0"),
        ("expert_lr", 0.0, r"`expert_lr` must be positive\. Received 0\.0"),
        ("expert_ema_decay", 1.0, r"`expert_ema_decay` must be in \[0, 1\)\. Received 1\.0"),
        ("output_penalty", -1.0, r"`output_penalty` must be at least 0\. Received -1\.0"),
    ],
)
def test_bad_settings(field: str, bad, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RelativeSettings(**{field: bad})
