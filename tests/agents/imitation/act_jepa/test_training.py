"""Training of ACT-JEPA: losses by hand, the target encoder, episodes without actions, resuming."""

from dataclasses import replace
from math import cos, pi

import gymnasium as gym
import numpy as np
import pytest
import torch
from points import collector, homing
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import ReplayBuffer
from torch import nn

from rlpriors.agents import ActJEPA, ActJEPAPolicy, ActJEPASettings, CosineSchedule
from rlpriors.agents.imitation.act_jepa.networks import ObservationEncoder
from rlpriors.agents.imitation.act_jepa.training import masked_l1
from rlpriors.checkpoint import CheckpointError, load_resume, save_resume
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import Episode, EpisodeStore

BOX = gym.spaces.Box(-1, 1, (1,))
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]
TINY = ActJEPASettings(horizon=4, width=16, predictor_width=8, tokens=2, blocks=1, heads=2)


def make(data: EpisodeStore, *, lr: float = 5e-3, device: str = "cpu", fit=None, **arguments) -> ActJEPA:
    names = [name for name in arguments if name in ActJEPASettings.__dataclass_fields__]
    settings = replace(TINY, **{name: arguments.pop(name) for name in names})
    policy = ActJEPAPolicy.fit(data, BOX, settings=settings, device=device, **(fit or {}))
    optim = AdamOptimizerFactory(lr=lr).with_lr_scheduler_factory(CosineSchedule(1000, warm_up=2))
    return ActJEPA(policy=policy, optim=optim, **({"n_updates": 100} | arguments))


def every_window(algorithm: ActJEPA, data: EpisodeStore):
    batch, starts = algorithm.process_buffer(to_buffer(data)).sample(None)
    assert starts.tolist() == list(range(data.n_steps))
    return batch


def counting(*acts: list[float]) -> EpisodeStore:
    """Episodes of these actions, whose observations are 0, 1, 2, ..."""
    return EpisodeStore.from_episodes(
        [
            Episode(np.arange(len(act) + 1.0)[:, None], np.array(act)[:, None], *np.zeros((3, len(act))))
            for act in acts
        ]
    )


# ---------------------------------------------------------------- losses


def test_actions_beyond_the_end_do_not_count() -> None:
    # Normalized actions -1, 1, 0 and predictions of 0: errors 1, 1, 0.
    data = counting([0.0, 1.0, 0.5])
    algorithm = make(data, latent_weight=0.0)
    nn.init.zeros_(algorithm.policy.network.decoder.leave.weight)
    nn.init.zeros_(algorithm.policy.network.decoder.leave.bias)
    # Chunks (-1, 1, 0), (1, 0) and (0): six actions.
    stats = algorithm._update_with_batch(every_window(algorithm, data))
    assert stats.action_loss == pytest.approx(3 / 6)
    assert (stats.loss, stats.latent_loss, stats.target_std) == (stats.action_loss, 0, 0)


def test_the_latent_loss_is_that_of_the_next_observations_of_the_episode() -> None:
    data = counting([0.0, 1.0, 0.5])
    algorithm = make(data, latent_weight=2.0)
    network, target = algorithm.policy.network, algorithm.target.eval()
    nn.init.zeros_(network.predictor.leave.weight)
    nn.init.zeros_(network.predictor.leave.bias)
    obs = algorithm.policy.obs(torch.arange(4.0)[:, None])
    latents = []  # of the observations 1 2 3, then 2 3, then 3
    for start in range(3):
        future = torch.zeros(1, 4, 1)
        future[0, : 3 - start] = obs[start + 1 :]
        valid = torch.arange(4)[None] < 3 - start
        latents.append(target.targets(future, valid)[0, : 3 - start])
    every = torch.cat(latents)
    assert every.shape == (6, 16)
    np.testing.assert_allclose(every.mean(1).numpy(), 0, atol=1e-6)  # normalized
    stats = algorithm._update_with_batch(every_window(algorithm, data))
    assert stats.latent_loss == pytest.approx(every.abs().mean().item(), rel=1e-5)
    assert stats.loss == pytest.approx(stats.action_loss + 2 * stats.latent_loss, rel=1e-5)
    first = torch.stack([latent[0] for latent in latents])
    assert stats.target_std == pytest.approx(first.std(0, unbiased=False).mean().item(), rel=1e-4)


def test_observations_beyond_the_end_are_not_attended_to() -> None:
    encoder = ObservationEncoder(1, TINY).eval()
    future, valid = torch.randn(2, 4, 1), torch.tensor([[True, True, False, False], [True] * 4])
    changed = future.clone()
    changed[0, 2:] = 99
    before, after = encoder.targets(future, valid), encoder.targets(changed, valid)
    torch.testing.assert_close(before[valid], after[valid])
    changed[0, 1] = 99
    assert not torch.allclose(encoder.targets(changed, valid)[0, 0], before[0, 0])  # within the episode


def test_masked_errors_by_hand() -> None:
    target = torch.tensor([[[1.0], [2.0]], [[6.0], [9.0]]])
    valid = torch.tensor([[True, True], [True, False]])
    assert masked_l1(torch.zeros(2, 2, 1), target, valid).item() == pytest.approx(3.0)


def test_without_a_latent_loss_the_rest_of_the_network_is_the_same() -> None:
    data = homing()
    plain, full = (make(data, latent_weight=weight).policy.network.state_dict() for weight in (0.0, 1.0))
    assert {name.split(".")[0] for name in full.keys() - plain.keys()} == {"predictor"}
    assert all(torch.equal(full[name], plain[name]) for name in plain)


# ---------------------------------------------------------------- the target encoder


def test_the_momentum_rises_on_a_cosine() -> None:
    algorithm, found = make(homing(), n_updates=4), []
    for _ in range(6):
        found.append(algorithm.momentum)
        algorithm.updates += 1
    expected = [1 - 0.004 * (1 + cos(pi * min(1, update / 4))) / 2 for update in range(6)]
    assert found == pytest.approx(expected)
    assert (found[0], found[2], found[4]) == (pytest.approx(0.996), pytest.approx(0.998), 1)


@pytest.mark.parametrize("momentum", [0.0, 0.75, 1.0])
def test_the_target_is_the_moving_average_of_the_encoder(momentum: float) -> None:
    data = homing()
    algorithm = make(data, momentum=momentum, final_momentum=momentum)
    batch = every_window(algorithm, data)
    for _ in range(2):
        before = [weight.clone() for weight in algorithm.target.parameters()]
        algorithm._update_with_batch(batch)
        pairs = zip(before, algorithm.policy.network.encoder.parameters(), strict=True)
        expected = [momentum * old + (1 - momentum) * new for old, new in pairs]
        torch.testing.assert_close(list(algorithm.target.parameters()), expected)
    assert all(weight.grad is None for weight in algorithm.target.parameters())


# ---------------------------------------------------------------- episodes without actions


def test_a_first_stage_reads_no_actions_and_trains_no_decoder(train) -> None:
    data = homing()
    weights = []
    for act in (data.act, -data.act, np.full((data.n_steps, 3), 7)):
        algorithm = make(data, read_actions=False)
        untrained = {name: part.clone() for name, part in algorithm.policy.network.named_parameters()}
        train(algorithm, replace(data, act=act), 3)
        weights.append(dict(algorithm.policy.network.named_parameters()))
    assert all(torch.equal(weights[0][name], other[name]) for other in weights[1:] for name in other)
    changed = {name.split(".")[0] for name in untrained if not torch.equal(untrained[name], weights[0][name])}
    assert changed == {"encoder", "predictor"}


def test_a_second_stage_continues_with_encoder_and_target(train) -> None:
    data = homing()
    first = make(data, read_actions=False)
    train(first, data, 3)
    second = ActJEPA(policy=first.policy, optim=AdamOptimizerFactory(), n_updates=10, target=first.target)
    pairs = list(zip(first.target.parameters(), second.target.parameters(), strict=True))
    assert all(torch.equal(*pair) for pair in pairs)
    assert not any(one is two for one, two in pairs)
    train(second, data, 1)
    with pytest.raises(ValueError, match="`target` must have the sizes of the policy's encoder"):
        make(data, target=ObservationEncoder(2, TINY))
    with pytest.raises(ValueError, match=r"`read_actions` must be True.*latent_weight=0"):
        make(data, read_actions=False, latent_weight=0.0)


def test_latents_are_predicted_and_do_not_collapse(train, walks) -> None:
    data = walks(n=30, dim=1)
    algorithm = make(data, read_actions=False, n_updates=100, dropout=0.0)
    batch = every_window(algorithm, data)
    before = algorithm._update_with_batch(batch)
    train(algorithm, data, 100, batch_size=32)
    after = algorithm._update_with_batch(batch)
    assert after.latent_loss < 0.5 * before.latent_loss
    assert after.target_std > 0.1


# ---------------------------------------------------------------- learning and resuming


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("ensemble_decay", [None, 0.01])
def test_it_acts_as_the_demonstrations(train, device: str, ensemble_decay: float | None) -> None:
    data = homing()
    algorithm = make(data, device=device, n_updates=100, dropout=0.0, ensemble_decay=ensemble_decay)
    train(algorithm, data, 100, batch_size=32)
    collect = collector(algorithm.policy, 30, 30)
    collect.collect(n_episode=4, reset_before_collect=True)
    ends = collect.buffer[collect.buffer.done.nonzero()[0]].obs_next
    assert len(ends) == 4
    assert np.abs(ends).max() < 0.2


@pytest.mark.parametrize("device", DEVICES)
def test_a_stopped_run_resumes_bit_equal(train, tmp_path, device: str) -> None:
    data = homing()
    uninterrupted, other, stopped, resumed = (
        make(data, seed=seed, device=device, n_updates=6, dropout=0.3) for seed in (0, 1, 0, 0)
    )
    for algorithm in (uninterrupted, other):
        train(algorithm, data, 6)
    train(stopped, data, 3)
    save_resume(tmp_path / "resume.pt", stopped.resume_state())
    resumed.resume(load_resume(tmp_path / "resume.pt"))
    torch.rand(5)  # the global generator is not read
    train(resumed, data, 3)
    one, two, three = (dict(a.named_parameters()) for a in (resumed, uninterrupted, other))
    assert any(name.startswith("target.") for name in one)
    assert all(torch.equal(one[name], two[name]) for name in two)
    assert not torch.equal(one["policy.network.encoder.kind"], three["policy.network.encoder.kind"])


def test_dropout_leaves_the_global_generator_unchanged(train) -> None:
    before = torch.get_rng_state()
    train(make(homing(), dropout=0.5), homing(), 1)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_updates": 7}, r"n_updates 6 \(now 7\)"),
        ({"read_actions": False}, r"read_actions True \(now False\)"),
        ({"latent_weight": 0.5}, r"latent_weight 1\.0 \(now 0\.5\)"),
        ({"momentum": 0.9}, r"momentum 0\.996 \(now 0\.9\)"),
    ],
)
def test_a_resumed_run_has_its_settings(train, changes, message: str) -> None:
    data = homing()
    algorithm = make(data, n_updates=6)
    train(algorithm, data, 1)
    with pytest.raises(CheckpointError, match=message):
        make(data, **({"n_updates": 6} | changes)).resume(algorithm.resume_state())


def test_a_resumed_run_has_its_data(train) -> None:
    data = homing()
    algorithm, resumed = make(data), make(data)
    train(algorithm, data, 1)
    resumed.resume(algorithm.resume_state())
    with pytest.raises(CheckpointError, match="data"):
        train(resumed, homing(seed=1), 1)


def test_other_policies_and_other_data_are_refused(without_type_checks) -> None:
    with pytest.raises(TypeError, match="`policy` must be an ActJEPAPolicy"):
        ActJEPA(policy=None, optim=AdamOptimizerFactory(), n_updates=1)
    with pytest.raises(ValueError, match=r"`n_updates` must be at least 1\. Received 0"):
        make(homing(), n_updates=0)
    with pytest.raises(TypeError, match="to_buffer"):
        make(homing()).process_buffer(homing())
    with pytest.raises(ValueError, match="buffer"):
        make(homing()).process_buffer(ReplayBuffer(3))
