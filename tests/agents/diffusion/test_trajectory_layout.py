"""Frames: where things lie in a window, and what a reward says of it."""

import gymnasium as gym
import numpy as np
import pytest
import torch

from rlpriors.agents import TrajectoryLayout
from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.data.normalize import DiscreteActions, Normalizer
from rlpriors.rewards import MLPReward, RewardSettings
from rlpriors.rewards.trajectory_value import TrajectoryValue, TrajectoryValueSettings


def identity(horizon: int = 3, obs: int = 2, act: int = 1) -> TrajectoryLayout:
    return TrajectoryLayout(horizon, 1, Normalizer.identity(obs), Normalizer.identity(act))


def test_fit_maps_the_data_to_one(walks) -> None:
    data = walks()
    layout = TrajectoryLayout.fit(data, horizon=8, stride=2)
    assert (layout.dim, layout.obs_dim, layout.horizon, layout.stride) == (4, 2, 8, 2)
    x = layout.obs(torch.from_numpy(data.obs))
    torch.testing.assert_close(x.amin(0), -torch.ones(2))
    torch.testing.assert_close(x.amax(0), torch.ones(2))
    assert layout.act(torch.from_numpy(data.act)).abs().max() <= 1 + 1e-6
    assert layout.normalizer.dim == 4


@pytest.mark.parametrize("stride", [1, 2])
def test_unpack_undoes_pack(walks, stride: int) -> None:
    data = walks()
    layout = TrajectoryLayout.fit(data, horizon=4, stride=stride)
    window = data.windows(data.window_starts(4, stride), 4, stride)
    x = layout.pack(window)
    assert x.shape == (len(window.obs), 4, 4)
    obs, act = layout.unpack(x)
    torch.testing.assert_close(obs, window.obs, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(act, window.act, atol=1e-6, rtol=1e-5)


def test_pack_by_hand() -> None:
    obs = Normalizer(torch.tensor([1.0, 0.0]), torch.tensor([2.0, 1.0]))
    layout = TrajectoryLayout(2, 1, obs, Normalizer(torch.tensor([0.0]), torch.tensor([0.5])))
    data = torch.tensor([[[3.0, 4.0], [5.0, 6.0]]]), torch.tensor([[[1.0], [-1.0]]])
    assert torch.cat([layout.obs(data[0]), layout.act(data[1])], -1).tolist() == [
        [[1.0, 4.0, 2.0], [2.0, 6.0, -2.0]]
    ]
    assert layout.start(torch.tensor([[3.0, 4.0]])).value[0].tolist() == [[1.0, 4.0, 0.0], [0.0, 0.0, 0.0]]


def test_a_start_knows_the_observation_and_not_the_action() -> None:
    mask = identity().start(torch.zeros(1, 2)).mask[0]
    assert mask.int().tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]


def test_rewards_by_hand() -> None:
    obs = Normalizer(torch.zeros(1), torch.tensor([10.0]))
    layout = TrajectoryLayout(3, 1, obs, Normalizer.identity(1))
    # Observations 0, 20, 50 and 10, 10, 0 in raw units; the last action begins no transition.
    x = torch.tensor([[[0.0, 1.0], [2.0, 2.0], [5.0, 9.0]], [[1.0, 3.0], [1.0, 4.0], [0.0, 9.0]]])
    seen = []

    def progress(obs, act, obs_next, terminated, /):
        seen.append((act.flatten().tolist(), terminated.any().item(), terminated.dtype))
        return obs_next[:, 0] - obs[:, 0]

    assert layout.rewards(progress, x).tolist() == [[20.0, 30.0], [0.0, -10.0]]
    assert seen == [([1.0, 2.0, 3.0, 4.0], False, torch.bool)]
    assert layout.value(progress)(x).tolist() == [50.0, -10.0]


def test_a_value_of_whole_windows_is_one_reward() -> None:
    layout, value = identity(), TrajectoryValue(TrajectoryValueSettings(3, 3, (8,)))
    x = torch.randn(5, 3, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(layout.rewards(value, x), value(x)[:, None])
    assert torch.equal(layout.value(value)(x), value(x))


def test_the_values_gradient_is_in_normalized_units() -> None:
    layout = TrajectoryLayout(2, 1, Normalizer(torch.zeros(1), torch.tensor([10.0])), Normalizer.identity(1))
    x = torch.zeros(1, 2, 2, requires_grad=True)
    layout.value(lambda obs, act, obs_next, end: obs[:, 0] + 3 * act[:, 0])(x).sum().backward()
    assert x.grad.tolist() == [[[10.0, 3.0], [0.0, 0.0]]]


@pytest.mark.parametrize(
    ("horizon", "stride", "message"),
    [
        (1, 1, r"`horizon` must be at least 2\. Received 1"),
        (2, 0, r"`stride` must be at least 1\. Received 0"),
    ],
)
def test_bad_sizes(horizon: int, stride: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrajectoryLayout(horizon, stride, Normalizer.identity(1), Normalizer.identity(1))


def test_windows_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="must have 2 entries along its last axis"):
        identity().start(torch.zeros(1, 3))


def test_normalizers_are_in_the_state(walks) -> None:
    fitted = TrajectoryLayout.fit(walks(), horizon=3)
    fresh = identity(act=2)
    fresh.load_state_dict(fitted.state_dict())
    assert np.array_equal(fresh.normalizer.scale, fitted.normalizer.scale)


def steps(act: list[int], space: gym.Space | None, ends: bool = False) -> EpisodeStore:
    """Create one episode with observations 0, 1, 2, ... that terminates (`ends`) or is truncated."""
    n = len(act)
    last = np.arange(n) == n - 1
    episode = Episode(np.arange(n + 1.0)[:, None], np.array(act), np.zeros(n), ends & last, ~ends & last)
    return EpisodeStore.from_episodes([episode], action_space=space)


def test_discrete_actions_are_codes_inside_and_integers_outside() -> None:
    space = gym.spaces.Discrete(3, start=4)
    layout = TrajectoryLayout.fit(steps([5, 6, 4, 4], None), 3, action_space=space)
    window = steps([5, 6, 4, 4], space).windows(np.array([0]), 3)
    x = layout.pack(window)
    # Observations 0..4 are -1..1.
    assert x.tolist() == [[[-1, -1, 1, -1], [-0.5, -1, -1, 1], [0, 1, -1, -1]]]
    assert layout.unpack(x)[1].tolist() == [[[5], [6], [4]]]
    assert (layout.dim, layout.act_dim, layout.discrete_space) == (4, 1, space)
    assert layout.normalizer(torch.tensor([[2.0, 6.0]])).tolist() == [[0, 6]]
    compact = TrajectoryLayout.fit(steps([5, 6, 4, 4], space), 3, action_encoding="bits")
    assert compact.pack(window)[0, :, 1:].tolist() == [[-1, 1], [1, -1], [-1, -1]]


def test_rewards_read_discrete_actions_with_a_gradient() -> None:
    layout = TrajectoryLayout.fit(steps([5, 6, 4], gym.spaces.Discrete(3, start=4)), 3)
    settings = RewardSettings(1, 1, inputs=("act",), n_actions=3, action_start=4, hidden=())
    reward = MLPReward(settings, layout.normalizer)
    reward.net[0].weight.data, reward.net[0].bias.data = torch.tensor([[10.0, 20.0, 40.0]]), torch.zeros(1)
    x = layout.pack(steps([5, 6, 4], gym.spaces.Discrete(3, start=4)).windows(np.array([0]), 3))
    x.requires_grad_(True)
    rewards = layout.rewards(reward, x)
    assert rewards.tolist() == [[20.0, 40.0]]
    (gradient,) = torch.autograd.grad(rewards.sum(), x)
    assert gradient[0, 0].tolist() == [0, 5, 10, 20]  # an entry from -1 to 1 is a probability from 0 to 1
    assert reward.score([[0.0]] * 2, [5, 6], [[0.0]] * 2).tolist() == [20, 40]
    # A function reads the integers.
    assert layout.rewards(lambda obs, act, obs_next, end: act[:, 0], x).tolist() == [[5, 6]]
    # A sum gives each term what it reads.
    assert layout.rewards(reward + reward, x).tolist() == [[40, 80]]


@pytest.mark.parametrize("space", [gym.spaces.MultiDiscrete([3, 2]), gym.spaces.MultiBinary(2)])
def test_other_spaces_of_integers_are_refused(space: gym.Space) -> None:
    data = EpisodeStore.from_episodes(
        [Episode(np.zeros((4, 1)), np.ones((3, 2), np.int64), *np.zeros((3, 3)))], action_space=space
    )
    with pytest.raises(ValueError, match=r"`action_space` must be a Box or Discrete.*as one Discrete space"):
        TrajectoryLayout.fit(data, 3)


def test_integers_need_a_space_and_steps_of_one() -> None:
    data = steps([0, 1, 1], None)
    with pytest.raises(ValueError, match="`action_space` must be given for integer actions"):
        TrajectoryLayout.fit(data, 3)
    with pytest.raises(ValueError, match=r"`data.act` must be actions of Discrete\(1\).*Received 1"):
        TrajectoryLayout.fit(data, 3, action_space=gym.spaces.Discrete(1))
    with pytest.raises(ValueError, match=r"`stride` must be 1 for Discrete.*Received 2.*repeats actions"):
        TrajectoryLayout.fit(data, 2, stride=2, action_space=gym.spaces.Discrete(2))
    recorded = steps([0, 1, 1], gym.spaces.Discrete(2))
    with pytest.raises(
        ValueError, match=r"`action_space` must have the action space of `data`, Discrete\(2\)"
    ):
        TrajectoryLayout.fit(recorded, 3, action_space=gym.spaces.Discrete(3))


def test_action_codes_are_in_the_state() -> None:
    fitted = TrajectoryLayout.fit(steps([5, 6, 4], gym.spaces.Discrete(3, start=4)), 3)
    fresh = TrajectoryLayout(3, 1, Normalizer.identity(1), DiscreteActions(3))
    fresh.load_state_dict(fitted.state_dict())
    assert fresh.discrete_space == gym.spaces.Discrete(3, start=4)


def test_absorbing_states_by_hand() -> None:
    box = gym.spaces.Box(-1, 1, (1,))
    act = np.array([[-1.0], [1.0], [0.0], [1.0]])
    for ends in (True, False):
        data = steps([0, 0, 0, 0], None, ends)
        data = EpisodeStore.from_episodes([data.episode(0)._replace(act=act)], action_space=box)
        layout = TrajectoryLayout.fit(data, 4, absorbing=True)
        assert (layout.obs_dim, layout.state_dim, layout.dim) == (1, 2, 3)
        # A window never continues beyond a truncation.
        assert data.window_starts(4, absorbing=True).tolist() == ([0, 1, 2, 3] if ends else [0])
    data = EpisodeStore.from_episodes([steps([0] * 4, None, True).episode(0)._replace(act=act)])
    layout = TrajectoryLayout.fit(data, 4, absorbing=True)
    window = data.windows(np.array([2]), 4)
    x = layout.pack(window)
    # Observations 2, 3, then the terminal 4 and its repetition; the entry in the middle is the termination.
    assert x.tolist() == [[[0, -1, 0], [0.5, -1, 1], [1, 1, 1], [1, 1, 1]]]
    assert layout.unpack(x)[0][0, :, 0].tolist() == [2, 3, 4, 4]
    assert layout.absorbed(x).tolist() == [[0, 0, 1, 1]]
    assert layout.weight(window).all()
    assert layout.start(torch.tensor([[4.0]])).value[0, 0].tolist() == [1, -1, 0]
    flags = []

    def step_cost(obs, act, obs_next, terminated):
        flags.append(terminated.tolist())
        return -1.0 - 10 * terminated + 0 * obs[:, 0]

    # Two steps until the termination, nothing after it: as in the environment.
    assert layout.rewards(step_cost, x).tolist() == [[-1, -11, 0]]
    assert layout.rewards(step_cost, x, window.terminated).tolist() == [[-1, -11, 0]]
    assert flags == [[False, True, False]] * 2
    # A sample in between: the entry 0 is half absorbed.
    x[0, 2, 1], x[0, 3, 1] = 0.0, 1.0
    assert layout.rewards(step_cost, x).tolist() == [[-1, -1, -5.5]]


def test_the_values_gradient_reaches_the_termination() -> None:
    data = steps([0] * 4, gym.spaces.Discrete(1), True)
    layout = TrajectoryLayout.fit(data, 3, absorbing=True)
    x = layout.pack(data.windows(np.array([3]), 3)).requires_grad_(True)
    layout.value(lambda obs, act, obs_next, end: obs[:, 0])(x).sum().backward()
    # After the termination the reward 4 of the terminal observation is multiplied by (1 - entry) / 2.
    assert x.grad[0, :, 1].tolist() == [-1.5, -2.0, 0.0]
