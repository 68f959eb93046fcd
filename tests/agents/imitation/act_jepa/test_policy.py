"""Policies of ACT-JEPA: chunks in a Collector, temporal ensembling, leaves of observations, files."""

import json
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch
from points import Point, collector, homing
from tianshou.data import Batch

from rlpriors.agents import ActJEPAPolicy, ActJEPASettings, load_act_jepa, save_act_jepa
from rlpriors.checkpoint import CheckpointError
from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.encoders import load_encoder
from rlpriors.encoders.record import EncoderRecord
from rlpriors.rewards import MLPReward, RewardSettings

BOX = gym.spaces.Box(-2, 4, (1,))


def make(space: gym.Space = BOX, dim: int = 1, **arguments) -> ActJEPAPolicy:
    names = [name for name in arguments if name in ActJEPASettings.__dataclass_fields__]
    sizes = {"horizon": 4, "width": 16, "predictor_width": 8, "tokens": 2, "blocks": 1, "heads": 2}
    settings = ActJEPASettings(**(sizes | {name: arguments.pop(name) for name in names}))
    arguments = {"obs": Normalizer.identity(dim), "act": Normalizer.identity(1), "device": "cpu"} | arguments
    return ActJEPAPolicy(action_space=space, settings=settings, **arguments)


class Chunks:
    """Record of the observations and chunks of a policy."""

    def __init__(self, policy: ActJEPAPolicy) -> None:
        self.seen: list[np.ndarray] = []
        self.answers: list[np.ndarray] = []
        self.chunk = policy.chunk
        policy.chunk = self

    def __call__(self, obs):
        self.seen.append(np.array(obs))
        self.answers.append(self.chunk(obs))
        return self.answers[-1]


# ---------------------------------------------------------------- acting


def test_chunks_are_executed_and_discarded_at_the_end_of_an_episode() -> None:
    policy = make(replan_every=3)
    chunks, collect = Chunks(policy), collector(policy, 5, 12)
    collect.collect(n_step=24, reset_before_collect=True)
    # 12 steps of each: the first starts episodes at 0, 5 and 10, and each lasts 5 steps, 3 and 2.
    first, second = {0, 3, 5, 8, 10}, {0, 3, 6, 9}
    assert [len(obs) for obs in chunks.seen] == [(t in first) + (t in second) for t in sorted(first | second)]
    buffer = collect.buffer[collect.buffer.sample_indices(0)]
    expected = [chunks.answers[0][1, :3], *(answer[-1, :3] for answer in chunks.answers[1:])]
    for start in (0, 3):
        np.testing.assert_allclose(buffer.act[12 + start : 15 + start], expected[start // 3], rtol=1e-6)


def test_temporal_ensembling_by_hand() -> None:
    policy, halves = make(horizon=3, ensemble_decay=np.log(2)), []

    def chunk(obs):
        """Chunks 1 2 3, 10 20 30, 100 200 300, ..."""
        halves.append(obs)
        return torch.tensor([[[1.0], [2.0], [3.0]]]) * 10 ** (len(halves) - 1)

    policy.chunk = chunk
    state, acts = None, []
    for _ in range(4):
        out = policy(Batch(obs=np.zeros((1, 1)), info={}), state)
        state, acts = out.state, [*acts, float(out.act[0, 0])]
    # The oldest action has the weight 1, the next 1/2, the next 1/4.
    expected = [1, (2 + 5) / 1.5, (3 + 10 + 25) / 1.75, (30 + 100 + 250) / 1.75]
    assert acts == pytest.approx(expected)


@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_the_ensemble_of_each_environment_begins_anew_with_its_episode(decay: float) -> None:
    policy = make(ensemble_decay=decay)
    chunks, collect = Chunks(policy), collector(policy, 5, 12)
    collect.collect(n_step=24, reset_before_collect=True)
    buffer = collect.buffer[collect.buffer.sample_indices(0)]
    for env, length in ((0, 5), (1, 12)):
        for step in range(12):
            n = min(step % length + 1, 4)  # chunks of this episode that reach this step
            found = np.array([chunks.answers[step - n + 1 + i][env, n - 1 - i, 0] for i in range(n)])
            expected = np.average(found, weights=np.exp(-decay * np.arange(n)))
            assert buffer.act[12 * env + step, 0] == pytest.approx(expected, rel=1e-5)


def test_actions_are_inside_the_space_and_without_dropout() -> None:
    policy = make(gym.spaces.Box(-0.1, 0.1, (1,)), dropout=0.9)
    obs = np.linspace(-3, 3, 50)[:, None]
    policy.train()
    training = policy.chunk(obs)
    assert policy.network.encoder.training
    policy.eval()
    assert torch.equal(policy.chunk(obs), training)
    assert training.abs().max() == pytest.approx(0.1)
    assert policy.features(obs).shape == (50, 16)


# ---------------------------------------------------------------- observations and spaces


def walk(layout: ObservationLayout | None = None, *, obs_dim: int = 2) -> EpisodeStore:
    obs = np.random.default_rng(0).normal(size=(9, obs_dim))
    data = EpisodeStore.from_episodes([Episode(obs, np.ones((8, 1)), *np.zeros((3, 8)))])
    return replace(data, obs_layout=layout)


def test_leaves_are_read_in_the_order_of_the_data() -> None:
    keys = ("where", "clock")
    data = walk(ObservationLayout(keys, ((1,), (1,))))
    policy = ActJEPAPolicy.fit(data, BOX, settings=make().settings, device="cpu")
    assert policy.obs_keys == keys
    rows = np.array([[1.0, 5.0], [2.0, 6.0]])
    leaves = {"clock": rows[:, 1:], "where": rows[:, :1]}
    assert torch.equal(policy.chunk(leaves), policy.chunk(rows))
    collector(policy, 9, 5, dictionary=True).collect(n_episode=3, reset_before_collect=True)
    with pytest.raises(ValueError, match=r"`keys` must name leaves.*Received \['where', 'clock'\]"):
        policy.chunk({"where": rows[:, :1], "goal": rows[:, 1:]})
    with pytest.raises(ValueError, match=r"must receive the observation leaves \('where' \(1,\), 'clock'"):
        policy.chunk({"where": rows, "clock": rows[:, 1:]})
    swapped = walk(ObservationLayout(keys[::-1], ((1,), (1,))))
    with pytest.raises(ValueError, match="The policy must receive the observation leaves"):
        policy.check_data(swapped)
    with pytest.raises(ValueError, match="must receive the observation leaves"):
        ActJEPAPolicy.fit(data, BOX, action_free=swapped)


def test_observations_without_actions_are_normalized_too() -> None:
    data, other = walk(), walk()
    other.obs[:] += 100
    policy = ActJEPAPolicy.fit(data, BOX, action_free=other, settings=make().settings, device="cpu")
    both = np.concatenate([data.obs, other.obs])
    np.testing.assert_allclose(policy.obs.loc.numpy(), both.mean(0), rtol=1e-5)
    with pytest.raises(
        ValueError, match=r"`action_free` must have observations of shape \(2,\).*Received \(3,\)"
    ):
        ActJEPAPolicy.fit(data, BOX, action_free=walk(obs_dim=3))


def test_discrete_actions_are_refused() -> None:
    data = homing(discrete=True)
    with pytest.raises(ValueError, match=r"must be a Box.*Received Discrete\(3, start=3\).*BehaviorCloning"):
        ActJEPAPolicy.fit(data, Point(discrete=True).action_space)


@pytest.mark.parametrize("space", [gym.spaces.Discrete(1), gym.spaces.Box(-1, 1, (2,))])
def test_other_action_spaces_are_refused(space: gym.Space) -> None:
    with pytest.raises(ValueError, match="`action_space` must be a Box of 1 entries"):
        make(space)


def test_images_are_encoded_first() -> None:
    frames = np.zeros((3, 8, 8, 3), np.uint8)
    data = EpisodeStore.from_episodes([Episode(frames, np.zeros((2, 1)), *np.zeros((3, 2)))])
    with pytest.raises(ValueError, match=r"`data` must have vectors.*Received shape \(8, 8, 3\).*encode"):
        ActJEPAPolicy.fit(data, BOX)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"horizon": 0}, r"`horizon` must be at least 1\. Received 0"),
        ({"tokens": 0}, r"`tokens` must be at least 1\. Received 0"),
        ({"width": 15}, "`width` must be"),
        ({"heads": 3}, "`width` must be"),
        ({"predictor_width": 10, "heads": 4}, "`predictor_width` must be"),
        ({"momentum": 1.5}, r"`momentum` must be in \[0, 1\]\. Received 1\.5"),
        ({"final_momentum": -0.5}, r"`final_momentum` must be in \[0, 1\]\. Received -0\.5"),
        ({"dropout": 1.0}, r"`dropout` must be in \[0, 1\)\. Received 1"),
        ({"latent_weight": -1.0}, r"`latent_weight` must be at least 0\. Received -1"),
        ({"ensemble_decay": -0.1}, r"`ensemble_decay` must be at least 0\. Received -0\.1"),
        ({"ensemble_decay": 0.1, "stride": 2}, r"needs a chunk at every step.*Received 2 and None"),
        ({"ensemble_decay": 0.1, "replan_every": 3}, r"needs a chunk at every step.*Received 1 and 3"),
    ],
)
def test_settings_out_of_bounds_are_refused(changes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**changes)


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("latent_weight", [0.0, 1.0])
def test_a_saved_policy_acts_as_before(tmp_path, latent_weight: float) -> None:
    data = walk(ObservationLayout(("where", "clock"), ((1,), (1,))))
    settings = make(latent_weight=latent_weight, ensemble_decay=0.01).settings
    policy = ActJEPAPolicy.fit(data, BOX, settings=settings, device="cpu", seed=3)
    encoder = load_encoder("nature-cnn", weights="none", device="cpu")
    policy.obs_encoder = EncoderRecord(encoder.fingerprint())
    loaded = load_act_jepa(save_act_jepa(policy, tmp_path / "act_jepa"), device="cpu")
    obs = np.array([[0.2, 0.3], [-0.5, 1.0]])
    assert torch.equal(loaded.chunk(obs), policy.chunk(obs))
    assert loaded.settings == settings
    assert loaded.action_space == BOX
    assert loaded.obs_layout == data.obs_layout
    assert loaded.obs_encoder.as_dict() == policy.obs_encoder.as_dict()
    assert not loaded.training


def test_a_folder_of_something_else_is_refused(tmp_path) -> None:
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        load_act_jepa(tmp_path / "nothing")
    folder = MLPReward(RewardSettings(obs_dim=2, act_dim=1)).save(tmp_path / "reward")
    with pytest.raises(
        CheckpointError, match=r"must be of one of \['ActJEPAPolicy'\]\. Received 'MLPReward'"
    ):
        load_act_jepa(folder)


@pytest.mark.parametrize(
    ("entry", "field", "value", "message"),
    [
        ("settings", "width", 2**20, "does not fit ActJEPAPolicy"),
        ("settings", "horizon", 2**40, "does not fit ActJEPAPolicy"),
        ("act_jepa", "obs_dim", 2**30, "does not fit ActJEPAPolicy"),
        ("act_jepa", "obs_layout", 5, "holds a damaged ACT-JEPA policy"),
        ("act_jepa", "action_space", None, "does not fit ActJEPAPolicy"),
    ],
)
def test_a_damaged_configuration_is_refused(tmp_path, entry, field, value, message: str) -> None:
    folder = save_act_jepa(make(), tmp_path / "act_jepa")
    config = json.loads((folder / "config.json").read_text())
    config[entry][field] = value
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=message):
        load_act_jepa(folder)
