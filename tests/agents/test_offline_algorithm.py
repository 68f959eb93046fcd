"""Window algorithms: windows sampled by seed and count, checks of the data, bit-equal resuming."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from tianshou.data import Batch, ReplayBuffer

from rlpriors.agents import DiffusionIRL, DiffusionIRLSettings, TrajectoryDiffusion, TrajectoryLayout
from rlpriors.agents.irl.objectives import OBJECTIVES, RelativeSettings, SamplerBackpropSettings
from rlpriors.agents.offline_algorithm import WindowBuffer
from rlpriors.checkpoint import CheckpointError, load_resume, save_resume
from rlpriors.data.buffers import from_buffer, to_buffer
from rlpriors.data.normalize import Normalizer
from rlpriors.rewards.divergences import DivergenceSettings

ALGORITHMS = [TrajectoryDiffusion, DiffusionIRL]
SHORT = {
    "sampler_backprop": SamplerBackpropSettings(DivergenceSettings("mmd-matern")),
    "relative": RelativeSettings(expert_updates=2),
}
"""Objectives that would take long, or remember little, as they come."""


def leaves(state, path="") -> dict[str, object]:
    """Every tensor and number of a nested state, by its path."""
    if isinstance(state, dict | list | tuple):
        items = state.items() if isinstance(state, dict) else enumerate(state)
        return {name: leaf for key, part in items for name, leaf in leaves(part, f"{path}/{key}").items()}
    return {path: state}


def assert_equal(state, other) -> None:
    one, two = leaves(state), leaves(other)
    assert one.keys() == two.keys()
    for name, value in one.items():
        same = torch.equal(value, two[name]) if isinstance(value, torch.Tensor) else value == two[name]
        assert same, name


# ---------------------------------------------------------------- WindowBuffer


def test_windows_are_those_of_the_store(walks) -> None:
    data = walks(n=3, steps=10)
    buffer = WindowBuffer(data, 4, 2, None, seed=0)
    assert len(buffer) == 9  # each episode of 10 steps holds starts 0, 1 and 2
    batch, starts = buffer.sample(5)
    assert (batch.obs.shape, batch.act.shape, batch.mask.shape) == ((5, 4, 2), (5, 4, 2), (5, 4))
    assert torch.equal(batch.obs, data.windows(starts, 4, 2).obs)
    assert set(starts) <= set(buffer.starts)


@pytest.mark.parametrize("everything", [None, 0])
def test_all_windows_in_order(walks, everything) -> None:
    buffer = WindowBuffer(walks(n=3, steps=10), 4, 2, None, seed=0)
    batch, starts = buffer.sample(everything)
    assert starts.tolist() == [0, 1, 2, 10, 11, 12, 20, 21, 22]
    assert len(batch.obs) == 9


def test_draws_depend_on_seed_and_count_alone(walks) -> None:
    data = walks()

    def drawn(seed: int, draws: int = 0) -> list[list[int]]:
        buffer = WindowBuffer(data, 8, 1, None, seed)
        buffer.draws = draws
        return [buffer.sample(6)[1].tolist() for _ in range(4 - draws)]

    draws_all = drawn(0)
    assert drawn(0) == draws_all
    assert drawn(0, draws=2) == draws_all[2:]
    assert drawn(1) != draws_all
    assert draws_all[0] != draws_all[1]


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_each_update_of_each_seed_has_its_own_batch_and_noise(kind, walks, make_algorithm) -> None:
    data, batches, noises = walks(), set(), set()
    for seed in (0, 1):
        algorithm = make_algorithm(kind, data, seed=seed)
        windows = algorithm.process_buffer(to_buffer(data))
        for _ in range(2):
            batches.add(tuple(windows.sample(8)[1]))
            noises.add(torch.rand((), generator=algorithm.generator()).item())
            algorithm.updates += 1
    assert (len(batches), len(noises)) == (4, 4)


def test_windows_are_drawn_with_their_probabilities(walks) -> None:
    buffer = WindowBuffer(walks(n=1, steps=10), 8, 1, None, seed=0)
    assert buffer.starts.tolist() == [0, 1, 2]
    buffer.set_probabilities(np.array([3.0, 0.0, 1.0]))
    counts = np.bincount(buffer.sample(4000)[1], minlength=3)
    assert counts[1] == 0
    assert 0.72 < counts[0] / 4000 < 0.78
    assert buffer.sample(0)[1].tolist() == [0, 1, 2]
    for bad in (np.ones(2), np.zeros(3), np.array([1.0, -1.0, 1.0]), np.array([1.0, np.nan, 1.0])):
        with pytest.raises(ValueError, match=r"`probabilities` must be 3 numbers of at least 0"):
            buffer.set_probabilities(bad)


def test_windows_of_early_starts_only(walks) -> None:
    buffer = WindowBuffer(walks(n=2, steps=20), 8, 1, 3, seed=0)
    assert buffer.starts.tolist() == [0, 1, 2, 20, 21, 22]


# ---------------------------------------------------------------- data


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_bad_data_is_refused_before_training(kind, walks, make_algorithm, train) -> None:
    good = walks()
    algorithm = make_algorithm(kind, good)
    with pytest.raises(ValueError, match=r"data's observations have 3 entries, .* was made for 2"):
        train(algorithm, walks(dim=3), 1)
    with pytest.raises(ValueError, match=r"`horizon` 8 with `stride` 1 must fit.* at most 5 steps"):
        train(algorithm, walks(steps=5), 1)
    with pytest.raises(ValueError, match=r"`buffer` must hold at least one step\. Received an empty buffer"):
        train(algorithm, ReplayBuffer(10), 1)
    holed = to_buffer(good)
    holed.obs[3, 1] = np.nan
    holed.obs_next[2, 1] = np.nan
    with pytest.raises(ValueError, match=r"`obs` must be finite\. Received \[.*nan\] at step"):
        train(algorithm, holed, 1)
    assert int(algorithm.updates) == 0


@pytest.mark.usefixtures("without_type_checks")
@pytest.mark.parametrize("kind", ALGORITHMS)
def test_a_store_as_the_buffer_is_refused(kind, walks, make_algorithm) -> None:
    data = walks()
    with pytest.raises(TypeError, match=r"`buffer` must be a ReplayBuffer.*EpisodeStore.*to_buffer\(store\)"):
        make_algorithm(kind, data).process_buffer(data)
    with pytest.raises(TypeError, match=r"`buffer` must be a ReplayBuffer\. Received an EpisodeStore"):
        from_buffer(data)


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_data_of_other_actions_is_refused(kind, walks, make_algorithm, train) -> None:
    good = walks()
    algorithm, buffer = make_algorithm(kind, good), ReplayBuffer(20)
    for step in range(20):
        end = {"terminated": False, "truncated": step == 19, "info": {}}
        obs = {"obs": np.full(2, step, np.float32), "obs_next": np.full(2, step + 1, np.float32)}
        buffer.add(Batch(act=np.zeros(3, np.float32), rew=0.0, **obs, **end))
    with pytest.raises(ValueError, match=r"data's actions have 3 entries, .* was made for 2"):
        train(algorithm, from_buffer(buffer, action_space=gym.spaces.Box(-1, 1, (3,))), 1)


def test_a_buffer_of_dictionaries(walks, make_policy, make_algorithm, train) -> None:
    good = walks()
    policy = make_policy(good, obs_keys=("where",))
    buffer, data = ReplayBuffer(good.n_steps), to_buffer(good)
    for step in range(len(data)):
        row = data[step]
        obs, obs_next = ({"where": part, "time": np.zeros(5)} for part in (row.obs, row.obs_next))
        end = {"terminated": row.terminated, "truncated": row.truncated, "info": {}}
        buffer.add(Batch(obs=obs, act=row.act, rew=0.0, obs_next=obs_next, **end))
    algorithm = make_algorithm(TrajectoryDiffusion, good, policy=policy)
    store = from_buffer(buffer, ("where",), action_space=policy.action_space)
    windows = algorithm.process_buffer(to_buffer(store))
    assert np.array_equal(windows.store.obs, good.obs)
    assert np.array_equal(windows.store.lengths, good.lengths)
    # Vectors of what was already selected serve as well.
    assert np.array_equal(algorithm.process_buffer(data).store.obs, good.obs)


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_windows_that_were_already_cut_can_be_given_again(kind, walks, make_algorithm, train) -> None:
    data = walks()
    one, two = (make_algorithm(kind, data) for _ in range(2))
    windows = one.process_buffer(to_buffer(data))
    windows.sample(3)  # what others drew from it does not matter
    train(one, windows, 2)
    train(two, data, 2)
    assert_equal(one.resume_state(), two.resume_state())


# ---------------------------------------------------------------- resuming


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_equal_seeds_train_equal(kind, walks, make_algorithm, train) -> None:
    data = walks()
    states = []
    for seed in (0, 0, 1):
        algorithm = make_algorithm(kind, data, seed=seed)
        torch.rand(seed + 1)  # the global generator is nobody's business
        train(algorithm, data, 2)
        states.append(algorithm.resume_state())
    assert_equal(states[0], states[1])
    name = "online.net.0.weight" if kind is DiffusionIRL else "online.leave.weight"
    assert not torch.equal(states[0]["modules"][name], states[2]["modules"][name])


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_a_stopped_run_resumes_bit_equal(kind, walks, make_algorithm, train, tmp_path) -> None:
    data, file = walks(), tmp_path / "resume.pt"
    uninterrupted = make_algorithm(kind, data)
    train(uninterrupted, data, 6)

    stopped = make_algorithm(kind, data)
    train(stopped, data, 3)
    save_resume(file, stopped.resume_state())
    del stopped

    resumed = make_algorithm(kind, data)
    resumed.resume(load_resume(file))
    assert int(resumed.updates) == 3
    train(resumed, data, 3)
    assert_equal(resumed.resume_state(), uninterrupted.resume_state())
    assert resumed.lr_schedulers[0].last_epoch == 6
    if kind is DiffusionIRL:
        assert int(resumed.objectives[0].replayed) == 48
        assert torch.equal(resumed.objectives[0].replay, uninterrupted.objectives[0].replay)
    # And what is planned with it.
    obs = np.zeros((2, 2), np.float32)
    plans = []
    for policy in (resumed.policy, uninterrupted.policy):
        policy.reseed(5)
        plans.append(policy.plan(obs))
    assert torch.equal(*plans)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_resumes_bit_equal(name, walks, make_algorithm, train, tmp_path) -> None:
    data, prior_data, file = walks(), walks(seed=3), tmp_path / "resume.pt"

    def fresh() -> DiffusionIRL:
        return make_algorithm(DiffusionIRL, data, objective=SHORT.get(name, name), prior_data=prior_data)

    uninterrupted, stopped, resumed = fresh(), fresh(), fresh()
    train(uninterrupted, data, 4)
    train(stopped, data, 2)
    save_resume(file, stopped.resume_state())
    resumed.resume(load_resume(file))
    train(resumed, data, 2)
    assert_equal(resumed.resume_state(), uninterrupted.resume_state())


@pytest.mark.parametrize(
    "objective", [name for name, (kind, _) in OBJECTIVES.items() if kind.evaluates_reward]
)
def test_what_is_read_with_noise_resumes_bit_equal(objective, walks, make_algorithm, train, tmp_path) -> None:
    data, prior_data, file = walks(), walks(seed=3), tmp_path / "resume.pt"
    settings = DiffusionIRLSettings(input_noise=0.3, marginal_actions=True)

    def fresh(**other) -> DiffusionIRL:
        return make_algorithm(
            DiffusionIRL, data, objective=objective, prior_data=prior_data, **{"settings": settings} | other
        )

    uninterrupted, stopped, resumed, plain = fresh(), fresh(), fresh(), fresh(settings=None)
    train(uninterrupted, data, 4)
    train(plain, data, 4)
    train(stopped, data, 2)
    save_resume(file, stopped.resume_state())
    resumed.resume(load_resume(file))
    torch.rand(3)  # the noise is of the algorithm's own source, not of the global one
    train(resumed, data, 2)
    assert_equal(resumed.resume_state(), uninterrupted.resume_state())
    assert not torch.equal(uninterrupted.online.net[0].weight, plain.online.net[0].weight)


def test_resuming_leaves_the_given_state_whole(walks, make_algorithm, train) -> None:
    data = walks()
    one, two = (make_algorithm(TrajectoryDiffusion, data) for _ in range(2))
    train(one, data, 2)
    state = one.resume_state()
    before = leaves(state).keys()
    two.resume(state)
    assert leaves(state).keys() == before


def test_another_algorithms_state_is_refused(walks, make_algorithm) -> None:
    prior, reward = (make_algorithm(kind, walks()) for kind in ALGORITHMS)
    with pytest.raises(CheckpointError, match="is of 'TrajectoryDiffusion', not of 'DiffusionIRL'"):
        reward.resume(prior.resume_state())


@pytest.mark.parametrize("state", [{}, {"weights": torch.zeros(3)}, {"algorithm": 3}])
def test_a_foreign_state_is_refused(state, walks, make_algorithm) -> None:
    with pytest.raises(CheckpointError, match=r"The state to resume from is of .*, not of 'DiffusionIRL'"):
        make_algorithm(DiffusionIRL, walks()).resume(state)


@pytest.mark.parametrize(
    "damage",
    [
        {"modules": {}},
        {"modules": 3},
        {"modules": torch.zeros(2)},
        {"schedules": []},
        {"schedules": [3]},
    ],
)
def test_a_damaged_state_is_refused(damage, walks, make_algorithm) -> None:
    algorithm = make_algorithm(DiffusionIRL, walks())
    with pytest.raises(CheckpointError, match="does not fit DiffusionIRL"):
        algorithm.resume(algorithm.resume_state() | damage)


def test_a_state_of_other_sizes_is_refused(walks, make_algorithm) -> None:
    data = walks()
    small, large = make_algorithm(DiffusionIRL, data), make_algorithm(DiffusionIRL, data, hidden=(17,))
    with pytest.raises(CheckpointError, match=r"was trained with reward.hidden \[17\] \(now \[16\]\)"):
        small.resume(large.resume_state())
    other = make_algorithm(TrajectoryDiffusion, walks(dim=3))
    with pytest.raises(CheckpointError, match="does not fit TrajectoryDiffusion"):
        make_algorithm(TrajectoryDiffusion, data).resume(other.resume_state())


def test_a_layout_of_another_stride_cuts_other_windows(walks, make_policy, make_algorithm) -> None:
    data = walks(n=1, steps=20)
    algorithm = make_algorithm(TrajectoryDiffusion, data, policy=make_policy(data, stride=2))
    assert algorithm.process_buffer(to_buffer(data)).starts.tolist() == [0, 1, 2, 3, 4]
    assert TrajectoryLayout(8, 2, Normalizer.identity(2), Normalizer.identity(2)).stride == 2
