"""Sources of negatives: their proportions, their use in every objective, and a resumed training."""

import numpy as np
import pytest
import torch

from rlpriors.agents import DiffusionIRL
from rlpriors.agents.irl.objectives import OBJECTIVES, RelativeSettings
from rlpriors.agents.irl.objectives.sampler_backprop import SamplerBackpropSettings
from rlpriors.agents.irl.reference import Reference, parse_reference
from rlpriors.checkpoint import CheckpointError
from rlpriors.data import Episode, EpisodeStore
from rlpriors.data.buffers import to_buffer
from rlpriors.rewards.divergences import DivergenceSettings


def assert_near(x: torch.Tensor, value: float) -> None:
    torch.testing.assert_close(x, torch.full_like(x, value), atol=2e-3, rtol=0)


def constant(value: float, n: int = 3, steps: int = 20) -> EpisodeStore:
    """Return episodes that stay at `value`, up to a jitter that makes the temporal variation finite."""
    jitter = np.random.default_rng(0).uniform(-1e-3, 1e-3, (steps + 1, 2))
    obs = (value + jitter).astype(np.float32)
    return EpisodeStore.from_episodes([Episode(obs, np.zeros((steps, 2)), *np.zeros((3, steps)))] * n)


def sources(algorithm: DiffusionIRL, data: EpisodeStore, batch: int = 8) -> torch.Tensor:
    """Return the windows that demonstrations are compared with in the next update, in raw units."""
    algorithm.process_buffer(to_buffer(data))
    seen = []
    objective = algorithm.objectives[0]
    forward = objective.forward

    def record(update):
        output = forward(update)
        seen.append(output.samples)
        return output

    objective.forward = record
    algorithm._update_with_batch(algorithm.process_buffer(to_buffer(data)).sample(batch)[0])
    return algorithm.policy.layout.unpack(seen[0])[0]


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_every_objective_takes_a_mixture(name: str, walks, make_algorithm) -> None:
    data = walks()
    objective = RelativeSettings(expert_updates=1) if name == "relative" else name
    reference = [("guided", 1.0), (constant(0.5), 2.0), (to_buffer(constant(0.25)), 1.0)]
    algorithm = make_algorithm(DiffusionIRL, data, objective=objective, reference=reference)
    compared = sources(algorithm, data, batch=8)
    assert compared.shape[0] == 8
    assert_near(compared[2:6], 0.5)
    assert_near(compared[6:], 0.25)
    assert not torch.allclose(compared[:2], torch.full((2, 8, 2), 0.5), atol=0.1)


def test_data_alone_and_a_single_source(walks, make_algorithm) -> None:
    data, play = walks(), constant(0.5)
    for reference in (play, to_buffer(play), Reference(play), [Reference(play)]):
        algorithm = make_algorithm(DiffusionIRL, data, reference=reference)
        assert_near(sources(algorithm, data), 0.5)


def test_the_default_is_the_priors_data_or_guided_samples(walks, make_algorithm) -> None:
    data, prior_data = walks(), constant(0.5)
    with_data = make_algorithm(DiffusionIRL, data, prior_data=prior_data)
    assert_near(sources(with_data, data), 0.5)
    starts = sources(make_algorithm(DiffusionIRL, data), data)[:, 0]
    drawn = make_algorithm(DiffusionIRL, data).process_buffer(to_buffer(data)).sample(8)[0].obs[:, 0]
    torch.testing.assert_close(starts, drawn)  # guided samples start as the demonstrations do


def test_guided_samples_from_the_data(walks, make_algorithm) -> None:
    data, prior_data = walks(), constant(0.5)
    algorithm = make_algorithm(DiffusionIRL, data, prior_data=prior_data, reference="guided_from_data")
    compared = sources(algorithm, data)
    assert_near(compared[:, 0], 0.5)
    assert (compared[:, 1:] - 0.5).abs().max() > 0.01


@pytest.mark.parametrize(
    ("weights", "n", "counts"), [((1, 1), 8, [4, 4]), ((3, 1), 8, [6, 2]), ((1, 2), 8, [3, 5])]
)
def test_counts_follow_the_weights(weights, n, counts, walks, make_algorithm) -> None:
    reference = [("guided", float(weights[0])), (constant(0.5), float(weights[1]))]
    assert list(make_algorithm(DiffusionIRL, walks(), reference=reference).reference.counts(n)) == counts


def test_sources_of_equal_data_draw_different_windows(walks, make_algorithm) -> None:
    data = walks()
    algorithm = make_algorithm(DiffusionIRL, data, reference=[(data, 1.0), (data, 1.0)])
    compared = sources(algorithm, data, batch=16)
    assert not torch.equal(compared[:8], compared[8:])


def test_rollouts(walks, make_algorithm) -> None:
    data = walks()
    algorithm = make_algorithm(DiffusionIRL, data, reference=[("rollouts", 1.0), (constant(0.5), 1.0)])
    with pytest.raises(ValueError, match='contains "rollouts", and no agent has given any'):
        sources(algorithm, data)
    algorithm.set_rollouts(constant(0.25))
    assert_near(sources(algorithm, data)[:4], 0.25)
    with pytest.raises(ValueError, match=r"`reference` must contain \"rollouts\".*Received None"):
        make_algorithm(DiffusionIRL, data).set_rollouts(data)


def test_a_resumed_training_has_the_same_reference(walks, make_algorithm, train) -> None:
    data, play = walks(), walks(seed=3)

    def algorithm(weight: float = 1.0, other: EpisodeStore = play) -> DiffusionIRL:
        return make_algorithm(DiffusionIRL, data, reference=[("guided", weight), (other, 1.0)])

    whole, first = algorithm(), algorithm()
    train(whole, data, 4)
    train(first, data, 2)
    second = algorithm()
    second.resume(first.resume_state())
    train(second, data, 2)
    for a, b in zip(whole.reward.parameters(), second.reward.parameters(), strict=True):
        assert torch.equal(a, b)
    for changed in (algorithm(weight=2.0), algorithm(other=data)):
        with pytest.raises(CheckpointError, match="reference"):
            changed.resume(first.resume_state())


@pytest.mark.usefixtures("without_type_checks")
def test_bad_references(walks, make_algorithm) -> None:
    data = walks()
    for bad, message in (
        ([], r"`reference` must be a source, or a sequence.* Received \[\]"),
        (3, r"`reference` must be a source, or a sequence.* Received 3"),
        ([data], r"`reference` must contain sources with weights"),
        ([("guided", 0.0)], r"`weight` must be above 0\. Received 0\.0"),
        ("guide", r"`source` must be"),
        ("prior_data", r"compares with the data that the prior was trained on"),
        (walks(dim=3), r"have 3 entries"),
    ):
        with pytest.raises(ValueError, match=message):
            make_algorithm(DiffusionIRL, data, reference=bad)
    assert parse_reference("guided") == (Reference("guided"),)


def test_the_sampler_needs_guided_samples(walks, make_algorithm) -> None:
    data = walks()
    with pytest.raises(ValueError, match=r"must contain \"guided\" for the objective \"sampler_backprop\""):
        make_algorithm(DiffusionIRL, data, objective="sampler_backprop", reference=data)
    paired = SamplerBackpropSettings(DivergenceSettings("mse"))
    with pytest.raises(ValueError, match=r"compares windows of equal start states"):
        make_algorithm(DiffusionIRL, data, objective=paired, reference=[("guided", 1.0), (data, 1.0)])
    make_algorithm(DiffusionIRL, data, objective=paired, reference="guided")
