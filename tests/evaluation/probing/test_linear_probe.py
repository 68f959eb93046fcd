"""Probes: splits and filters by hand, scores by hand, and what a linear layer can and cannot read."""

from typing import Any

import numpy as np
import pytest

from rlpriors.evaluation.probing.batched_linear import ClassTable, PerVariableSchedule, ProbeSettings
from rlpriors.evaluation.probing.labels import frame_keys, make_task, split_episodes
from rlpriors.evaluation.probing.linear_probe import PROTOCOLS, downsample, majority_baseline, probe
from rlpriors.evaluation.probing.metrics import classification_scores, score_predictions
from rlpriors.evaluation.probing.training import fit_probe

LENGTHS = np.full(10, 40)
LEVEL = np.arange(400) % 4
"""A label that one-hot features show, in every episode alike."""
QUICK = ProbeSettings(lr=0.01, epochs=30)
ONE_HOT = np.eye(4, dtype=np.float32)[LEVEL]


def task(**labels: np.ndarray) -> Any:
    return make_task(labels or {"level": LEVEL}, LENGTHS)


def test_scores_by_hand() -> None:
    """Classes 0 (4 true, F1 6/8), 1 (2 true, F1 2/3), 5 (1 true, never said: 0), 7 (only said: 0)."""
    truth = np.array([0, 0, 0, 0, 1, 1, 5])
    predicted = np.array([0, 0, 0, 1, 1, 7, 0])
    f1_0, f1_1 = 2 * 3 / (4 + 4), 2 * 1 / (2 + 2)
    scores = classification_scores(truth, predicted)
    assert scores.f1_weighted == pytest.approx((4 * f1_0 + 2 * f1_1) / 7)
    assert scores.f1_macro == pytest.approx((f1_0 + f1_1) / 4)
    assert scores.accuracy == pytest.approx(4 / 7)


def test_scores_of_labels_that_hardly_repeat() -> None:
    """30 frames of 30 classes, of which half are right: no warning that these might be numbers."""
    truth = np.arange(30)
    scores = classification_scores(truth, np.where(truth < 15, truth, 100))
    assert scores.accuracy == scores.f1_weighted == 0.5
    assert scores.f1_macro == pytest.approx(15 / 31)


def test_means_are_within_categories_and_then_over_them() -> None:
    """Two variables of one category, one of another, and one that counts nowhere."""
    categories = {"a": ["x"], "b": ["x"], "c": ["y"], "d": []}
    made = make_task(dict.fromkeys("abcd", LEVEL), LENGTHS, categories=categories)
    truth = made.labels[made.test]
    predicted = truth.copy()
    predicted[:, 0] = (truth[:, 0] + 1) % 4  # a is always wrong
    predicted[:, 3] = 9  # so is d
    scores = score_predictions(made, predicted)
    assert [scores.variables[name].accuracy for name in "abcd"] == [0, 1, 1, 0]
    assert {name: score.accuracy for name, score in scores.categories.items()} == {"x": 0.5, "y": 1}
    assert scores.mean.accuracy == scores.mean.f1_weighted == 0.75


def test_parts_share_no_episode_and_hold_seven_one_and_two_tenths() -> None:
    made = task()
    episodes = [set((rows // 40).tolist()) for rows in (made.train, made.val, made.test)]
    assert [len(part) for part in episodes] == [7, 1, 2]
    assert set.union(*episodes) == set(range(10))
    others = {frozenset((make_task({"level": LEVEL}, LENGTHS, seed=s).test // 40).tolist()) for s in range(5)}
    assert len(others) > 1  # shuffled


def test_split_is_the_most_even_of_many() -> None:
    """Two kinds of episodes, 10 of each: each part gets both kinds, which chance alone seldom does."""
    kinds = np.repeat([0, 1], 10)
    histograms = np.eye(2, dtype=np.float32)[kinds]
    part = split_episodes(histograms, np.full(20, 5), np.random.default_rng(0))
    assert [(part[kinds == kind] == p).sum() for kind in (0, 1) for p in (0, 1, 2)] == [7, 1, 2] * 2


def test_dull_variables_short_episodes_and_known_frames_are_left_out() -> None:
    rare = np.zeros(400, np.int64)
    rare[::10] = 1  # entropy of (.1, .9): 0.325 nats
    lengths = np.array([40] * 9 + [20, 20])
    made = make_task({"level": LEVEL, "rare": rare}, lengths, min_frames=21, min_entropy=0.6)
    assert made.dropped == {"rare": "entropy 0.33 nats, below 0.6"}
    assert max(made.train.max(), made.val.max(), made.test.max()) < 360  # the two short ones are left out
    episode = np.repeat([0, 1, 2], 40)  # constant in each of three episodes: so in the test part
    made = make_task({"episode": episode, "level": LEVEL[:120]}, np.full(3, 40))
    assert made.dropped == {"episode": "constant in the test part"}
    assert made.names == ("level",)
    np.testing.assert_array_equal(made.labels[:, 0], LEVEL[:120])


def test_frames_that_were_learnt_from_are_not_judged_by() -> None:
    """Every fourth frame is the same black one, in all episodes."""
    frames = np.random.default_rng(0).integers(256, size=(400, 3, 3, 1), dtype=np.uint8)
    frames[LEVEL == 0] = 0
    keys = frame_keys(frames)
    assert (keys[LEVEL == 0] == keys[0]).all()
    assert len(set(keys.tolist())) == 301
    made = make_task({"level": LEVEL}, LENGTHS, keys=keys)
    assert len(made.test) == 60
    assert (LEVEL[made.test] > 0).all()
    assert len(made.train) == 280  # nothing is left out there
    with pytest.raises(ValueError, match="must hold a frame that no other part holds"):
        make_task({"level": LEVEL}, LENGTHS, keys=np.zeros(400, np.int64))


def test_what_stands_in_the_features_is_read_and_what_does_not_is_not() -> None:
    rng = np.random.default_rng(0)
    made = task(level=LEVEL, other=rng.integers(4, size=400))
    scores = probe(ONE_HOT, made, "standardized", QUICK, device="cpu").variables
    assert scores["level"].f1_weighted == scores["level"].f1_macro == 1
    assert scores["other"].accuracy < 0.45
    assert majority_baseline(made).variables["level"].accuracy == 0.25
    assert majority_baseline(made).variables["level"].f1_weighted == pytest.approx(
        0.25 * 0.4
    )  # F1 of one class: 2/5


def test_standardizing_decides_when_features_are_small() -> None:
    made, small = task(), 1e-3 * ONE_HOT + 1
    published, standardized = (probe(small, made, p, QUICK, device="cpu").mean for p in PROTOCOLS)
    assert published.f1_weighted < 0.6
    assert standardized.f1_weighted == 1


def test_standardized_scores_do_not_depend_on_scale_or_constant_features() -> None:
    made, settings = task(), ProbeSettings(epochs=5)
    features = np.random.default_rng(0).normal(size=(400, 6)).astype(np.float32)
    features[:, 5] = 3
    one, other = (
        fit_probe(x, made, settings, standardize=True, device="cpu")
        for x in (features, features * np.float32(64))
    )
    np.testing.assert_array_equal(one.predict(features, made.test), other.predict(64 * features, made.test))
    assert np.isfinite(one.scale.numpy()).all()


def test_probes_of_several_variables_do_not_influence_each_other() -> None:
    """Each has the same start and the same batches with or without the other, which comes second."""
    other = (LEVEL // 2) * 100
    features = np.random.default_rng(1).normal(size=(400, 3)).astype(np.float32) + ONE_HOT[:, :3]
    settings = ProbeSettings(epochs=8)
    alone, both = (
        fit_probe(features, made, settings, standardize=False, device="cpu", seed=3)
        for made in (task(level=LEVEL), task(level=LEVEL, other=other))
    )
    assert both.table.sizes == [4, 2]
    np.testing.assert_allclose(both.weight[:4], alone.weight, atol=1e-6)
    np.testing.assert_array_equal(both.curve[:, 0], alone.curve[:, 0])


def test_gradient_is_that_of_torchs_cross_entropy() -> None:
    """One epoch of one batch against a linear layer with torch's own loss and Adam."""
    import torch

    made = task()
    settings = ProbeSettings(epochs=1, batch_size=280, lr=0.1)
    fitted = fit_probe(ONE_HOT, made, settings, standardize=False, device="cpu", seed=2)
    generator = torch.Generator().manual_seed(2)
    weight = ((2 * torch.rand(4, 5, generator=generator) - 1) / 2).requires_grad_()
    x = torch.cat([torch.from_numpy(ONE_HOT[made.train]), torch.ones(280, 1)], 1)
    torch.nn.functional.cross_entropy(x @ weight.T, torch.from_numpy(LEVEL[made.train])).backward()
    torch.optim.Adam([weight], lr=0.1, eps=1e-5).step()
    torch.testing.assert_close(fitted.weight, weight.detach())


def test_labels_that_the_training_part_lacks_count_as_wrong() -> None:
    """Of 12 classes each stands in one episode alone, so that no part shows those of another."""
    made = make_task({"episode": np.repeat(np.arange(6), 40) + (LEVEL[:240] % 2) * 50}, np.full(6, 40))
    scores = probe(np.ones((240, 2), np.float32), made, "published", QUICK, device="cpu").mean
    assert scores == (0, 0, 0)
    assert (ClassTable(made).encoded[made.test] == -1).all()


def test_learning_rates_fall_and_training_ends_for_each_variable_alone() -> None:
    settings = ProbeSettings(lr=1e-3, lr_patience=1, lr_factor=0.1, min_lr=5e-5, patience=4)
    plateaus = PerVariableSchedule(2, settings)
    rates = []
    for epoch in range(6):  # the first gets better with every epoch, the second never again
        plateaus.step(np.array([epoch / 10, 0.5]))
        rates.append(plateaus.lr.tolist())
    assert [rate[0] for rate in rates] == [1e-3] * 6
    np.testing.assert_allclose([rate[1] for rate in rates], [1e-3, 1e-3, 1e-4, 1e-4, 5e-5, 5e-5])
    assert plateaus.running.tolist() == [True, False]
    assert not plateaus.step(np.array([0.0, 1.0]))[1]  # what has ended does not get better


def test_learning_rates_are_torchs() -> None:
    import torch

    settings = ProbeSettings(lr=0.1, lr_patience=2, lr_factor=0.5, min_lr=0.02)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode="max", patience=2, factor=0.5, min_lr=0.02
    )
    plateaus = PerVariableSchedule(1, settings)
    for score in np.random.default_rng(0).uniform(size=14).round(1):
        reference.step(float(score))
        plateaus.step(np.array([score]))
        assert plateaus.lr[0] == pytest.approx(optimizer.param_groups[0]["lr"])


def test_the_weights_of_the_best_epoch_are_kept() -> None:
    rng = np.random.default_rng(0)
    task = make_task({name: rng.integers(4, size=400) for name in ("a_x", "b_x")}, np.full(10, 40))
    features = rng.normal(size=(400, 30)).astype(np.float32)  # of which nothing can be read
    settings = ProbeSettings(lr=0.05, epochs=12)
    fitted = fit_probe(features, task, settings, standardize=False, device="cpu")
    best = fitted.curve.max(0)
    assert (best > fitted.curve[-1]).any()
    right = fitted.predict(features, task.val) == task.labels[task.val]
    np.testing.assert_allclose(right.mean(0), best)


def test_pixels_are_averaged_over_areas() -> None:
    frames = np.zeros((3, 4, 4, 1), np.uint8)
    frames[1, :2, :2] = [[[255], [0]], [[0], [255]]]
    np.testing.assert_allclose(downsample(frames, (2, 2))[1], [0.5, 0, 0, 0])
    assert downsample(frames[:, :, :, [0, 0, 0]]).shape == (3, 42 * 32 * 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": {"level": LEVEL[1:]}}, "a value for each of 400 frames. Received 399 for 'level'"),
        ({"labels": {"level": LEVEL - 1}}, r"in 0\.\.255\. Received -1 for 'level' in frame 0"),
        ({"labels": {"level": 100 * LEVEL}}, r"in 0\.\.255\. Received 300"),
        ({"labels": {}}, "at least one variable"),
        ({"labels": {"level": 0 * LEVEL}}, "Received only dropped ones: level: entropy"),
        ({"lengths": np.array([200, 200])}, "at least 3 episodes of at least 1 frames.*Received 2"),
        ({"min_frames": 41}, "at least 3 episodes of at least 41 frames.*Received 0 .of 10"),
        ({"keys": np.arange(3)}, "`keys` must have a row for each of 400"),
    ],
)
def test_unusable_labels_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_task(**{"labels": {"level": LEVEL}, "lengths": LENGTHS, **change})


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.where(np.arange(400)[:, None] == 7, np.nan, ONE_HOT), "in frame 7"),
        (ONE_HOT[1:], r"numbers \[400 frames, dim\].*shape \(399, 4\)"),
    ],
)
def test_unusable_features_are_refused(features: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        probe(features, task(), "published", device="cpu")


def test_unusable_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="`protocol` must be one of"):
        probe(ONE_HOT, task(), "publisht", device="cpu")
    for field, message in (({"lr": 0.0}, "`lr` must be above 0"), ({"patience": 0}, "at least 1")):
        with pytest.raises(ValueError, match=message):
            ProbeSettings(**field)
    with pytest.raises(ValueError, match=r"`lr_factor` must be in \(0, 1\)"):
        ProbeSettings(lr_factor=1.0)
