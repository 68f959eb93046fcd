"""Policy-guided trajectories of a prior whose dynamics are known: s' = s + 0.5 a."""

import math

import numpy as np
import pytest
import torch

from rlpriors.agents.diffusion.synthetic.generate import synthesize
from rlpriors.agents.diffusion.synthetic.policy_guidance import (
    PolicyGuidance,
    gaussian_target,
    guidance_schedule,
    guided_windows,
)
from rlpriors.data.episodes import Episode, EpisodeStore

TARGET = gaussian_target(lambda obs: torch.tensor([0.4, -0.4]).expand(len(obs), 2))


def north_east(obs, act, obs_next, terminated):
    """Reward of the way to the upper right."""
    return (obs_next - obs).sum(1)


def wide_walks(n: int, seed: int = 0) -> EpisodeStore:
    """Return points that move by half of their random actions, 8 steps each."""
    rng, episodes, end = np.random.default_rng(seed), [], np.arange(8) == 7
    for _ in range(n):
        act = (0.3 * rng.standard_normal((8, 2))).clip(-1, 1)
        start = 0.3 * rng.standard_normal((1, 2))
        obs = np.concatenate([start, start + 0.5 * act.cumsum(0)])
        episodes.append(Episode(obs, act, np.zeros(8), end & False, end))
    return EpisodeStore.from_episodes(episodes)


def likelihood_and_error(store) -> tuple[float, float]:
    """Return the mean log-likelihood of actions under the target, and the mean error of the dynamics."""
    step = store.transitions(np.arange(store.n_steps))
    likelihood = TARGET(step.obs, step.act).mean()
    error = (step.obs_next - step.obs - 0.5 * step.act).norm(dim=1).mean()
    return float(likelihood), float(error)


def test_the_likelihood_rises_with_the_strength_and_the_dynamics_stay(gaussian_policy) -> None:
    data = wide_walks(300)
    prior = gaussian_policy(data)
    likelihoods, errors = zip(
        *(
            likelihood_and_error(
                synthesize(
                    prior,
                    TARGET,
                    data,
                    n_trajectories=200,
                    settings=PolicyGuidance(strength=strength),
                    progress=False,
                )
            )
            for strength in (0.0, 0.05, 0.2, 1.0)
        ),
        strict=True,
    )
    assert list(likelihoods) == sorted(likelihoods)
    assert likelihoods[-1] > likelihoods[0] + 0.1
    assert max(errors) <= 2 * errors[0]
    assert errors[0] < 0.1  # a step is 0.19 long


def test_the_schedule_has_hand_worked_values() -> None:
    # c = 10, n = 4, bump 0.3: 10 (1 + 0.3 sin 45 deg), 10 (0.75 + 0.3), 10 (0.5 + 0.3 sin 135 deg), 0.
    root = 3 * math.sqrt(0.5)
    expected = [10 + root, 10.5, 5 + root, 0]
    assert guidance_schedule(PolicyGuidance(strength=10.0, n_steps=4)) == pytest.approx(expected)


def test_only_actions_are_pushed_by_a_unit_step(walks, gaussian_policy) -> None:
    prior = gaussian_policy(walks(n=20))
    prior.denoiser = torch.nn.Module()
    prior.denoiser.forward = lambda x, t: torch.zeros_like(x)  # the clean window is always 0
    start = prior.layout.obs.inverse(torch.zeros(3, 2))
    settings = PolicyGuidance(strength=1.0, n_steps=2, bump=0.0, eta=0.0)
    windows = []
    for strength in (0.0, 1.0):
        chosen = PolicyGuidance(strength=strength, n_steps=2, bump=0.0, eta=0.0)
        windows.append(guided_windows(prior, TARGET, start, chosen, torch.Generator().manual_seed(0)))
    # The last step returns the clean window, and no step follows it.
    assert guidance_schedule(settings)[-1] == 0
    assert torch.equal(*windows)
    assert float(windows[0].abs().max()) == 0


def test_episodes_are_whole_windows_with_rewards_from_states_of_the_data(walks, gaussian_policy) -> None:
    data = walks(n=5)
    prior = gaussian_policy(data)
    arguments = {"n_trajectories": 7, "batch_size": 3, "progress": False}
    store = synthesize(prior, TARGET, data, reward=north_east, **arguments)
    assert store.n_episodes == 7
    assert store.lengths.tolist() == [7] * 7  # horizon 8
    first = store.episode(0)
    assert first.truncated.tolist() == [False] * 6 + [True]
    assert not first.terminated.any()
    np.testing.assert_allclose(first.rew, np.diff(first.obs, axis=0).sum(1), atol=1e-5)
    distance = np.abs(data.obs - first.obs[0]).max(1).min()
    assert distance < 1e-4
    assert np.abs(store.act).max() <= 1
    again = synthesize(prior, TARGET, data, reward=north_east, **arguments)
    np.testing.assert_array_equal(store.obs, again.obs)
    other = synthesize(prior, TARGET, data, seed=1, **arguments)
    assert not np.array_equal(store.obs, other.obs)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"strength": -1.0}, r"`strength` must be at least 0\. Received -1"),
        ({"n_steps": 1}, r"`n_steps` must be at least 2\. Received 1"),
        ({"bump": -0.1}, r"`bump` must be at least 0\. Received -0\.1"),
        ({"eta": 1.5}, r"`eta` must be in \[0, 1\]\. Received 1\.5"),
    ],
)
def test_bad_settings_are_refused(settings, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PolicyGuidance(**settings)


def test_unsuitable_priors_and_targets_are_refused(walks, gaussian_policy, make_policy) -> None:
    data = walks(n=5)
    with pytest.raises(ValueError, match=r"`prior` must have a stride of 1.*Received 2"):
        synthesize(make_policy(data, stride=2), TARGET, data, progress=False)
    with pytest.raises(ValueError, match=r"`n_steps` must be in \[1, 10\]"):
        synthesize(make_policy(data), TARGET, data, progress=False)
    prior = gaussian_policy(data)
    with pytest.raises(ValueError, match=r"`target` must have a finite gradient"):
        synthesize(prior, lambda obs, act: (act - act).sqrt().sum(1), data, progress=False)
    with pytest.raises(ValueError, match=r"`std` must be positive\. Received 0"):
        gaussian_target(lambda obs: obs, std=0.0)
