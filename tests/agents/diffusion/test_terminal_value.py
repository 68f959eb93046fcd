"""Terminal value: chains whose values are known, files, and plans that look beyond their window."""

import numpy as np
import pytest
import torch
from long_corridor import last_positions

from rlpriors.agents import TerminalValue, TerminalValueSettings, TrajectoryLayout, fit_terminal_value
from rlpriors.agents.diffusion.terminal_value_fit import NStepTargets, discounted_returns, possible_returns
from rlpriors.checkpoint import CheckpointError, save
from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.diffusion import GuidanceSettings, PlannerSettings
from rlpriors.rewards.trajectory_value import TrajectoryValue, TrajectoryValueSettings

QUICK = {
    "discount": 0.5, "hidden": (), "updates": 200, "batch_size": 64, "lr": 0.1, "target_rate": 0.1,
    "device": "cpu", "progress": False,
}  # fmt: skip


def chain(*states: int, rewards=None, terminated: bool = True, n_states: int = 5) -> Episode:
    """One episode through numbered states, observed as one-hot rows; the last step is rewarded by 1."""
    steps = len(states) - 1
    last = np.arange(steps) == steps - 1
    rewards = last.astype(float) if rewards is None else np.array(rewards, float)
    nothing = np.zeros(steps, bool)
    ends = (last, nothing) if terminated else (nothing, last)
    return Episode(np.eye(n_states)[list(states)], np.zeros((steps, 1)), rewards, *ends)


def fit(*episodes: Episode, **arguments) -> list[float]:
    """Return the fitted value of each state by a linear network, which is a table for one-hot rows."""
    value = fit_terminal_value(EpisodeStore.from_episodes(episodes), **(QUICK | arguments))
    return value(torch.eye(5)).tolist()


def test_targets_by_hand() -> None:
    data = EpisodeStore.from_episodes(
        [chain(0, 1, 2, 3, rewards=[1, 2, 4]), chain(3, 4, rewards=[8], terminated=False)]
    )
    targets = NStepTargets.of(data, 0.5, 2)
    assert targets.first.tolist() == [0, 1, 2, 4]
    assert targets.rewards.tolist() == [1 + 0.5 * 2, 2 + 0.5 * 4, 4, 8]
    assert targets.later.tolist() == [2, 3, 3, 5]
    assert targets.bootstrap.tolist() == [0.25, 0, 0, 0.5]  # 0 after the termination, not at the limit
    assert discounted_returns(data, 0.5).tolist() == [1 + 1 + 1, 2 + 2, 4, 8]
    assert possible_returns(data, 0.5) == (0, 16)  # after the termination, nothing
    assert possible_returns(data.subset([1]), 0.5) == (16, 16)


@pytest.mark.parametrize("n_steps", [1, 2, 10])
def test_the_value_of_a_chain(n_steps: int) -> None:
    # The step from 3 to 4 is rewarded and terminates: values 1/8, 1/4, 1/2, 1.
    values = fit(chain(0, 1, 2, 3, 4), n_steps=n_steps, expectile=0.5)
    assert values[:4] == pytest.approx([1 / 8, 1 / 4, 1 / 2, 1], abs=0.02)


def test_a_time_limit_does_not_end_the_rewards() -> None:
    # A reward of 1 at each step for ever is 1 / (1 - 0.5) = 2; with a termination 1 is left in the last step.
    two = [1, 1]
    assert fit(chain(0, 1, 0, rewards=two, terminated=False))[:2] == pytest.approx([2, 2], abs=0.05)
    assert fit(chain(0, 1, 2, rewards=two), expectile=0.5)[:2] == pytest.approx([1.5, 1], abs=0.02)


@pytest.mark.parametrize("expectile", [0.5, 0.9])
def test_the_expectile_of_two_outcomes(expectile: float) -> None:
    # Of 0 and 1 with equal probabilities, the expectile e solves t (1 - e) = (1 - t) e: e = t.
    values = fit(chain(0, 1, rewards=[0]), chain(0, 2, rewards=[1]), expectile=expectile)
    assert values[0] == pytest.approx(expectile, abs=0.06)


def test_larger_expectiles_stitch_the_best_parts_of_episodes() -> None:
    # No episode passes from 0 over 2 to the reward in 4.
    episodes = chain(0, 2, 1, rewards=[0, 0]), chain(3, 2, 4)
    assert fit(*episodes, n_steps=1, expectile=0.5)[0] == pytest.approx(0.25, abs=0.03)
    assert fit(*episodes, n_steps=1, expectile=0.95)[0] == pytest.approx(0.475, abs=0.03)


def test_rewards_of_a_function_replace_those_of_the_data() -> None:
    def reward(obs, act, obs_next, terminated):
        return 3.0 * obs_next[:, 2]

    data = EpisodeStore.from_episodes([chain(0, 1, 2)])
    value = fit_terminal_value(data, reward, **QUICK)
    assert value(torch.eye(5))[:2].tolist() == pytest.approx([1.5, 3], abs=0.05)
    assert value.discount == 0.5


def test_training_is_deterministic_in_its_seed(walks) -> None:
    def make(seed: int) -> TerminalValue:
        return fit_terminal_value(
            walks(), lambda obs, *_: obs[:, 0], updates=5, seed=seed, device="cpu", progress=False
        )

    state = torch.random.get_rng_state()
    one, again, other = make(0), make(0), make(1)
    assert torch.equal(torch.random.get_rng_state(), state)
    obs = torch.ones(1, 2)
    assert torch.equal(one(obs), again(obs))
    assert not torch.equal(one(obs), other(obs))
    assert not any(p.requires_grad for p in one.parameters())


def test_a_saved_value_is_the_same(walks, tmp_path) -> None:
    value = fit_terminal_value(walks(), lambda obs, *_: obs[:, 0], updates=5, device="cpu", progress=False)
    value.obs_layout = ObservationLayout(("place",), ((2,),))
    loaded = TerminalValue.load(value.save(tmp_path / "value"), device="cpu")
    obs = torch.randn(7, 3, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(loaded(obs), value(obs))
    assert (loaded.settings, loaded.obs_layout) == (value.settings, value.obs_layout)
    other = TrajectoryValue(TrajectoryValueSettings(horizon=2, dim=2))
    with pytest.raises(CheckpointError, match="TerminalValue"):
        TerminalValue.load(save(other, other.settings, tmp_path / "other"), device="cpu")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"discount": 1.0}, r"`discount` must be in \(0, 1\)\. Received 1\.0"),
        ({"expectile": 1.0}, r"`expectile` must be in \(0, 1\)\. Received 1\.0"),
        ({"n_steps": 0}, r"`n_steps` must be at least 1\. Received 0"),
        ({"lr": 0.0}, r"`lr` must be positive\. Received 0\.0"),
        ({"target_rate": 0.0}, r"`target_rate` must be in \(0, 1\]\. Received 0\.0"),
    ],
)
def test_bad_arguments(arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit(chain(0, 1), **arguments)


def constant_value(number: float, discount: float = 0.5, obs_dim: int = 1) -> TerminalValue:
    returns = Normalizer(torch.tensor([number]), torch.ones(1))
    value = TerminalValue(TerminalValueSettings(obs_dim, discount, hidden=()), returns=returns)
    for parameter in value.parameters():
        torch.nn.init.zeros_(parameter)
    return value.requires_grad_(False)


def position_of(obs, act, obs_next, terminated):
    return obs[:, 0]


@pytest.mark.parametrize(
    ("stride", "expected"), [(1, 1 + 2 / 2 + 3 / 4 + 16 / 8), (2, 1 + 2 / 4 + 3 / 16 + 16 / 64 / 1.5)]
)
def test_the_value_of_a_window_by_hand(stride: int, expected: float) -> None:
    layout = TrajectoryLayout(4, stride, Normalizer.identity(1), Normalizer.identity(1))
    x = torch.tensor([[[1.0, 0], [2.0, 0], [3.0, 0], [9.0, 0]]])
    # The rewards of the first three time steps, and the value 16 of the last state; a time step of two
    # environment steps has 1 + 0.5 times the reward of one.
    assert layout.value(position_of, constant_value(16.0))(x).item() == pytest.approx(expected)
    assert layout.value(position_of)(x).item() == 6


def test_no_value_after_a_termination() -> None:
    layout = TrajectoryLayout(3, 1, Normalizer.identity(1), Normalizer.identity(1), absorbing=True)
    window = torch.tensor([[[1.0, -1, 0], [2.0, -1, 0], [3.0, -1, 0]]])
    ended = torch.tensor([[[1.0, -1, 0], [2.0, -1, 0], [3.0, 1, 0]]])
    value = layout.value(position_of, constant_value(16.0))
    assert value(torch.cat([window, ended])).tolist() == [1 + 2 / 2 + 16 / 4, 1 + 2 / 2]


def test_a_value_of_whole_windows_takes_no_terminal_value() -> None:
    layout = TrajectoryLayout(3, 1, Normalizer.identity(1), Normalizer.identity(1))
    whole = TrajectoryValue(TrajectoryValueSettings(horizon=3, dim=2))
    with pytest.raises(ValueError, match=r"`terminal_value` must be None for a TrajectoryValue"):
        layout.value(whole, constant_value(1.0))


def test_a_terminal_value_has_to_fit_the_policy(walks, make_policy) -> None:
    with pytest.raises(ValueError, match=r"`terminal_value` must read observations of 2 entries.*Received 3"):
        make_policy(walks(), terminal_value=constant_value(1.0, obs_dim=3))
    policy = make_policy(walks(), terminal_value=constant_value(1.0, obs_dim=2))
    with pytest.raises(ValueError, match=r"`terminal_value` needs a `reward`"):
        policy.plan(np.zeros((1, 2)))
    policy.reward = position_of
    assert policy.plan(np.zeros((1, 2))).shape == (1, 8, 4)
    policy.terminal_value = None
    assert policy.plan(np.zeros((1, 2))).shape == (1, 8, 4)


def at_the_goal(obs, act, obs_next, terminated):
    """Reward of places within half a unit of 2, and exactly 0 elsewhere."""
    return (1 - 2 * (obs_next[:, 0] - 2).abs()).clamp(min=0)


def test_plans_reach_a_goal_beyond_their_window(walks, gaussian_policy) -> None:
    # Plans of 7 steps move by 0.7 at most, so that no plan from the start sees a reward.
    data = walks(60, 40, dim=1, center=1.0)
    planner = PlannerSettings(n_candidates=8, n_steps=4, guidance=GuidanceSettings(space="posterior"))
    policy = gaussian_policy(data, reward=at_the_goal, planner=planner, execution_horizon=7)
    assert max(last_positions(policy)) < 1
    settings = {"discount": 0.95, "updates": 300, "hidden": (64,), "lr": 3e-3, "target_rate": 0.05}
    value = fit_terminal_value(data, at_the_goal, device="cpu", progress=False, **settings)
    assert value(torch.tensor([[0.5], [1.0], [1.5], [2.0]])).diff().min() > 0
    policy.terminal_value = value
    assert min(last_positions(policy)) > 1.5
