"""Learning from preferences: losses by hand, learning, early stopping, resuming bit-equal, errors."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from homing_pairs import hills, ramp, true_preferences
from scipy.stats import spearmanr
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.trainer import OfflineTrainerParams

from rlpriors.agents.preferences.fit import (
    default_optimizer,
    learn_from_preferences,
    preference_reward,
)
from rlpriors.agents.preferences.preference_learning import PreferenceLearning
from rlpriors.agents.preferences.settings import PreferenceSettings
from rlpriors.checkpoint import CheckpointError
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.preferences.preference_set import PreferenceSet
from rlpriors.rewards import EnsembleReward, MLPReward, RewardSettings, load_reward
from rlpriors.training.offline import train_offline

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]


def make(data: EpisodeStore, pairs: PreferenceSet, *, n_members: int = 3, **arguments) -> PreferenceLearning:
    defaults = {
        "reward": preference_reward(data, n_members=n_members, hidden=(16,)),
        "optim": default_optimizer(200),
        "device": "cpu",
    }
    return PreferenceLearning(data=data, preferences=pairs, **{**defaults, **arguments})


def train(algorithm: PreferenceLearning, n_updates: int) -> None:
    algorithm.run_training(
        OfflineTrainerParams(
            buffer=algorithm.buffer,
            batch_size=32,
            max_epochs=1,
            epoch_num_steps=n_updates,
            show_progress=False,
            verbose=False,
        )
    )


# ---------------------------------------------------------------- by hand


def test_the_loss_of_a_batch_by_hand() -> None:
    data = ramp()
    reward = MLPReward(RewardSettings(obs_dim=1, act_dim=1, hidden=()))
    with torch.no_grad():
        reward.net[0].weight.fill_(np.log(3) / 2)
        reward.net[0].bias.zero_()
    clips = np.array([[[0, 0], [0, 1]], [[0, 3], [0, 2]]])  # sums of two steps: 1 and 3, 7 and 5
    pairs = true_preferences(data, 2, 2)
    pairs = replace(pairs, clips=clips, labels=np.array([1, 1]), confidence=np.array([1.0, 0.5]))
    settings = PreferenceSettings(held_out=0.0, magnitude_penalty=0.0)
    algorithm = make(data, pairs, reward=reward, settings=settings)
    loss, (reported, accuracy, degree) = algorithm._loss(np.array([[0], [1]]))
    # P(second better) = sigmoid(log 3) = 3/4 and sigmoid(-log 3) = 1/4, weights 1 and 1/2.
    expected = -(np.log(0.75) + 0.5 * np.log(0.25)) / 1.5
    assert loss.item() == pytest.approx(expected)
    assert reported.item() == pytest.approx(expected)
    assert (accuracy.item(), degree.item()) == (0.5, 0.0)
    penalized = make(data, pairs, reward=reward, settings=replace(settings, magnitude_penalty=2.0))
    loss, _ = penalized._loss(np.array([[0], [1]]))
    steps = np.array([0, 1, 1, 2, 3, 4, 2, 3])  # observations of all steps of both pairs
    assert loss.item() == pytest.approx(expected + 2 * (steps**2).mean() * (np.log(3) / 2) ** 2)


def test_undecided_pairs_are_dropped_or_pull_scores_together() -> None:
    data = hills()
    pairs = true_preferences(data, 100, 3, undecided=0.5)
    n_decided = int((pairs.labels >= 0).sum())
    dropped, half = (
        make(data, pairs, settings=PreferenceSettings(undecided=way)) for way in ("drop", "half")
    )
    counts = [len(a.training_pairs) + len(a.held_out_pairs or ()) for a in (dropped, half)]
    assert counts == [n_decided, 100]
    assert (dropped.training_pairs.labels >= 0).all()


# ---------------------------------------------------------------- learning


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("length", [1, 8])
def test_learns_the_true_reward_from_few_pairs(length: int, device: str) -> None:
    data, unseen = hills(), hills(seed=1)
    pairs = true_preferences(data, 200, length)
    reward = learn_from_preferences(data, pairs, n_updates=400, device=device)
    assert spearmanr(unseen.relabel(reward).rew, unseen.rew)[0] > 0.85
    learned = data.relabel(reward).rew
    assert learned.mean() == pytest.approx(0, abs=1e-4)
    assert learned.std() == pytest.approx(1, abs=1e-3)


def test_flipped_labels_cost_little() -> None:
    data, unseen = hills(), hills(seed=1)
    reward = learn_from_preferences(
        data, true_preferences(data, 400, 4, flips=0.1), n_updates=300, device="cpu"
    )
    assert spearmanr(unseen.relabel(reward).rew, unseen.rew)[0] > 0.85


def test_each_member_of_an_ensemble_becomes_different_and_standard(tmp_path) -> None:
    data = hills()
    reward = learn_from_preferences(data, true_preferences(data, 60, 4), n_updates=60, device="cpu")
    ensemble = next(module for module in reward.modules() if isinstance(module, EnsembleReward))
    each = [data.relabel(member).rew for member in ensemble.members]
    assert all(abs(rew.mean()) < 1e-4 and abs(rew.std() - 1) < 1e-3 for rew in each)
    assert not np.allclose(each[0], each[1])
    loaded = load_reward(reward.save(tmp_path), "cpu")
    assert np.array_equal(data.relabel(loaded).rew, data.relabel(reward).rew)


def test_random_labels_end_the_training_and_keep_the_best_weights() -> None:
    data = hills()
    pairs = true_preferences(data, 60, 4, flips=0.5)
    settings = PreferenceSettings(check_every=5, patience=2, magnitude_penalty=0.0)
    algorithm = make(data, pairs, settings=settings, optim=AdamOptimizerFactory(lr=0.03))
    train(algorithm, 200)
    assert algorithm.stopped
    assert int(algorithm.updates) == 200  # counted, but without effect
    before = {name: weight.clone() for name, weight in algorithm.online.state_dict().items()}
    train(algorithm, 10)
    assert all(torch.equal(before[name], weight) for name, weight in algorithm.online.state_dict().items())
    assert algorithm.reward is algorithm.best


def test_without_held_out_pairs_the_last_weights_are_kept() -> None:
    data = hills()
    algorithm = make(data, true_preferences(data, 40, 4), settings=PreferenceSettings(held_out=0.0))
    train(algorithm, 20)
    assert algorithm.reward is algorithm.online
    assert not algorithm.stopped


# ---------------------------------------------------------------- resuming


@pytest.mark.parametrize("resample", ["shuffle", "bootstrap"])
def test_a_resumed_training_is_bit_equal(tmp_path, resample: str) -> None:
    data = hills()
    pairs = true_preferences(data, 80, 4, flips=0.2)
    settings = PreferenceSettings(check_every=4, patience=4, resample=resample)

    def run(folder: str, *ends: int) -> PreferenceLearning:
        for end in ends:
            algorithm = make(data, pairs, settings=settings, optim=default_optimizer(60))
            train_offline(
                algorithm,
                algorithm.buffer,
                folder=tmp_path / folder,
                name="reward",
                n_updates=end,
                batch_size=16,
                epoch_updates=10,
                resume=True,
            )
        return algorithm

    whole, parts = run("whole", 60), run("parts", 10, 30, 60)
    ours, theirs = whole.state_dict(), parts.state_dict()
    tensors = [name for name, value in ours.items() if isinstance(value, torch.Tensor)]
    assert tensors
    for name in tensors:
        assert torch.equal(ours[name].nan_to_num(), theirs[name].nan_to_num()), name
    assert np.array_equal(data.relabel(whole.reward).rew, data.relabel(parts.reward).rew)


def test_resuming_with_other_labels_is_an_error() -> None:
    data = hills()
    pairs = true_preferences(data, 40, 4)
    algorithm = make(data, pairs)
    train(algorithm, 5)
    state = algorithm.resume_state()
    other = make(data, replace(pairs, labels=1 - pairs.labels))
    with pytest.raises(CheckpointError, match="data"):
        other.resume(state)
    with pytest.raises(CheckpointError, match="patience"):
        make(data, pairs, settings=PreferenceSettings(patience=3)).resume(state)


# ---------------------------------------------------------------- errors


def test_pairs_of_other_data_are_refused() -> None:
    with pytest.raises(ValueError, match="fingerprint"):
        make(hills(seed=1), true_preferences(hills(), 10, 4))


def test_a_foreign_buffer_is_refused() -> None:
    data = hills()
    algorithm = make(data, true_preferences(data, 10, 4))
    params = OfflineTrainerParams(buffer=to_buffer(data), batch_size=8, max_epochs=1, epoch_num_steps=1)
    with pytest.raises(ValueError, match=r"algorithm\.buffer"):
        algorithm.run_training(params)


def test_too_few_decided_pairs_are_refused() -> None:
    data = hills()
    pairs = true_preferences(data, 10, 4)
    with pytest.raises(ValueError, match=r"at least 2 pairs to learn from\. Received 0 of 10"):
        make(data, replace(pairs, labels=np.full(10, -1)))


def test_a_reward_of_other_sizes_is_refused() -> None:
    data = hills()
    pairs = true_preferences(data, 10, 4)
    with pytest.raises(ValueError, match="observations have 2 entries"):
        make(data, pairs, reward=MLPReward(RewardSettings(obs_dim=3, act_dim=2)))


def test_the_placeholder_of_a_policy_does_not_act() -> None:
    data = hills()
    algorithm = make(data, true_preferences(data, 10, 4))
    with pytest.raises(NotImplementedError, match="learns a reward"):
        algorithm.policy(None)


@pytest.mark.parametrize(
    ("field", "value"),
    [("held_out", 1.0), ("check_every", 0), ("patience", 0), ("magnitude_penalty", -1.0)],
)
def test_settings_out_of_bounds(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"`{field}` must be"):
        PreferenceSettings(**{field: value})
