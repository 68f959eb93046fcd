"""Score policies: inputs of the network, guidance, verification, goals, pasts in a Collector, files."""

import json
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from points import collector, homing
from tianshou.data import Batch
from tiny_encoder import tiny_encoder
from torch import nn

from rlpriors.agents import ScorePolicy, ScoreSettings, load_score_policy, save_score_policy
from rlpriors.agents.diffusion.score.inputs import ScoreInputs, score_network
from rlpriors.checkpoint import CheckpointError
from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.encoders.record import EncoderRecord

BOX = gym.spaces.Box(-1, 1, (1,))
SMALL = {"denoiser": "mlp", "width": 16, "blocks": 1}


def make(**arguments: Any) -> ScorePolicy:
    """A tiny policy that draws something before it has learned anything."""
    space, dim = arguments.pop("space", BOX), arguments.pop("dim", 1)
    given = {name: arguments.pop(name) for name in list(arguments) if name in ScoreSettings.__annotations__}
    settings = ScoreSettings(**(SMALL | given))
    parts = {"obs": Normalizer.identity(dim), "act": Normalizer.identity(1), "device": "cpu"}
    policy = ScorePolicy(action_space=space, settings=settings, **(parts | arguments))
    awaken(policy)
    return policy


def awaken(policy: ScorePolicy, std: float = 0.3) -> None:
    network: Any = getattr(policy.model, "network", policy.model)
    torch.manual_seed(0)
    nn.init.normal_(network.leave.weight, std=std)


def act(policy: ScorePolicy, obs: Any, state: Any = None, seed: int = 0) -> Any:
    policy.reseed(seed)
    return policy(Batch(obs=np.asarray(obs, np.float32), info={}), state)


# ---------------------------------------------------------------- network and sampling


def test_the_network_reads_observations_flags_and_actions() -> None:
    seen = []

    def denoiser(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        seen.append((x, t))
        return 10 + x

    settings = ScoreSettings(history=1, horizon=2, sigma_range=(0.01, 1.0))
    inputs = ScoreInputs(
        torch.tensor([[[5.0], [6.0]]]), torch.zeros(1, 3, 1), torch.tensor([[False, True, True]])
    )
    x = torch.tensor([[[1.0], [2.0], [3.0]]])
    out = score_network(inputs, settings, denoiser)(x, torch.tensor([0.1]).log() / 4)
    assert out.flatten().tolist() == [11, 12, 13]
    assert seen[0][0][0].tolist() == [[0, 0, 1], [6, 1, 2], [0, 0, 3]]
    assert seen[0][1].tolist() == [500]


def test_given_past_actions_reach_the_network_and_hidden_ones_do_not() -> None:
    obs, valid = torch.zeros(1, 3, 1), torch.ones(1, 3, dtype=torch.bool)
    moved = {}
    for mode in ("given", "hidden"):
        policy = make(history=2, past_actions=mode)
        drawn = []
        for value in (0.5, -0.5):
            policy.reseed(0)
            past = torch.full((1, 3, 1), value)
            drawn.append(policy.sample(policy.window(obs, past, valid)))
        moved[mode] = float((drawn[0] - drawn[1])[:, -1].abs())
        known = drawn[0][0, :2, 0].tolist()
        assert known == ([0.5, 0.5] if mode == "given" else [0.0, 0.0])
    assert moved["given"] > 1e-4
    assert moved["hidden"] == 0


def test_the_candidate_nearest_to_the_executed_past_is_taken() -> None:
    one = make(history=2, horizon=2)
    many = make(history=2, horizon=2, candidates=8)
    obs, past = torch.zeros(3, 3, 1), torch.full((3, 4, 1), 0.7)
    valid = torch.tensor([[True] * 4, [False, True, True, True], [False, False, True, True]])
    inputs = many.window(obs, past, valid)
    one.reseed(0)
    every = one.sample(inputs.repeat(8)).reshape(3, 8, 4)  # the same noise in the same order
    many.reseed(0)
    taken = many.sample(inputs)[..., 0]
    error = (every[..., :2] - 0.7).square() * valid[:, None, :2]
    for row, best in enumerate(error.sum(-1).argmin(1)):
        assert torch.equal(taken[row], every[row, best])
    assert len(set(error.sum(-1).argmin(1).tolist())) > 1
    assert torch.equal(taken[2], every[2, 0])  # without a past all are equal, and the first is taken


def test_guidance_mixes_both_predictions() -> None:
    drawn = {}
    for weight in (-1.0, 0.0, 1.5):
        policy = make(task_entries=(0,), guidance=weight, n_steps=1)
        awaken(policy, 0.05)
        policy.reach([2.0])
        drawn[weight] = act(policy, np.zeros((4, 1))).act
    free = make(task_entries=(0,), n_steps=1)
    awaken(free, 0.05)
    np.testing.assert_allclose(act(free, np.zeros((4, 1))).act, drawn[-1.0], rtol=1e-5)
    assert np.abs(drawn[0.0] - drawn[-1.0]).max() > 1e-4
    mixed = 2.5 * drawn[0.0] - 1.5 * drawn[-1.0]
    inside = np.abs(mixed) < 0.99
    assert inside.any()
    np.testing.assert_allclose(drawn[1.5][inside], mixed[inside], atol=1e-4)


def test_draws_depend_on_the_seed_alone() -> None:
    policy, obs = make(sampler="euler_ancestral"), np.zeros((3, 1))
    one, two, three = (act(policy, obs, seed=seed).act for seed in (1, 1, 2))
    assert (one == two).all()
    assert (one != three).any()


# ---------------------------------------------------------------- goals


def test_goals_of_all_environments_or_of_each() -> None:
    policy, obs = make(dim=2, task_entries=(1,)), np.zeros((2, 2))
    free = act(policy, obs).act
    policy.reach([0.5])
    one = act(policy, obs).act
    policy.reach([[0.5], [-3.0]])
    each = act(policy, obs).act
    assert (one[0] == each[0]).all()
    assert (one[1] != each[1]).all()
    policy.clear_goal()
    assert (act(policy, obs).act == free).all()
    with pytest.raises(
        ValueError, match="`goal` must have the 2 entries of an observation or the 1 of a task"
    ):
        policy.reach([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="`goal` must not be given to a policy without goals"):
        make().reach([1.0])


def test_a_policy_that_always_saw_goals_needs_one() -> None:
    policy, obs = make(dim=2, task_entries=(1,), goal_dropout=0.0), np.zeros((2, 2))
    with pytest.raises(ValueError, match=r"must have a goal.*set one by `reach`"):
        act(policy, obs)
    policy.reach([0.5])
    assert act(policy, obs).act.shape == (2, 1)
    assert act(make(goal_dropout=0.0), np.zeros((2, 1))).act.shape == (2, 1)  # no goals at all


def goal_episodes(*keys: str) -> EpisodeStore:
    rows = {name: np.arange(5.0)[:, None] for name in ("achieved_goal", "desired_goal", "observation")}
    episode = Episode(rows, np.zeros((4, 1)), *np.zeros((3, 4)))
    return EpisodeStore.from_episodes([episode], obs_keys=keys)


def test_goals_are_the_achieved_leaf_of_goal_environments() -> None:
    data = goal_episodes("observation", "achieved_goal")
    policy = ScorePolicy.fit(data, BOX, settings=ScoreSettings(**SMALL), device="cpu")
    assert policy.goals is not None
    assert policy.goals.entries == (1,)
    awaken(policy)
    policy.reach()
    rows = {"observation": np.zeros((2, 1)), "achieved_goal": np.zeros((2, 1))}
    goals = np.array([[4.0], [0.0]])
    drawn = act_on(policy, rows | {"desired_goal": goals})
    policy.reach(goals)
    np.testing.assert_array_equal(drawn, act_on(policy, rows | {"desired_goal": np.zeros((2, 1))}))
    with pytest.raises(ValueError, match="must have observations without the leaf 'desired_goal'"):
        ScorePolicy.fit(goal_episodes("achieved_goal", "desired_goal"), BOX, device="cpu")


def act_on(policy: ScorePolicy, rows: dict[str, np.ndarray]) -> np.ndarray:
    policy.reseed(0)
    return np.asarray(policy(Batch(obs=Batch(rows), info={})).act)


# ---------------------------------------------------------------- pasts in a collector


class Spy:
    """Stands in for `policy.sample`, records the windows and samples them."""

    def __init__(self, policy: ScorePolicy) -> None:
        self.seen: list[ScoreInputs] = []
        self.sample = policy.sample
        policy.sample = self  # type: ignore[method-assign,assignment]

    def __call__(self, inputs: ScoreInputs, goal: Any = None) -> torch.Tensor:
        self.seen.append(inputs)
        return self.sample(inputs, goal)


@pytest.mark.parametrize("mode", ["predicted", "given", "hidden"])
def test_a_collector_keeps_the_past_of_each_environment_and_clears_it(mode: str) -> None:
    policy = make(history=2, past_actions=mode)
    spy, collect = Spy(policy), collector(policy, 3, 5)
    collect.collect(n_step=12, reset_before_collect=True)
    valid = np.array([inputs.valid.numpy() for inputs in spy.seen])  # steps, environments, rows
    assert valid.shape == (6, 2, 3)
    assert valid[:, 0].sum(1).tolist() == [1, 2, 3, 1, 2, 3]  # episodes of 3 steps
    assert valid[:, 1].sum(1).tolist() == [1, 2, 3, 3, 3, 1]  # episodes of 5 steps
    steps = collect.buffer[collect.buffer.sample_indices(0)]
    first = steps[:6]  # those of the first environment
    for t in (2, 5):
        np.testing.assert_allclose(spy.seen[t].obs[0, :, 0], first.obs[t - 2 : t + 1, 0], rtol=1e-6)
        np.testing.assert_allclose(spy.seen[t].act[0, :2, 0], first.act[t - 2 : t, 0], rtol=1e-6)


def test_chunks_are_executed_before_the_next_sample() -> None:
    policy = make(history=0, horizon=4, execution_horizon=3)
    spy, collect = Spy(policy), collector(policy, 7, 20)
    collect.collect(n_step=28, reset_before_collect=True)
    # Steps 0, 3 and 6 of both; 7, 10 and 13 of the first, whose episode ended, and 9 and 12 of the second.
    assert [len(inputs.obs) for inputs in spy.seen] == [2, 2, 2, 1, 1, 1, 1, 1]
    assert np.abs(collect.buffer.act[:14]).max() <= 1


def test_dictionary_observations_in_a_collector() -> None:
    policy = make(history=1, obs_keys=("where",), task_entries=(0,), goal_key="clock")
    policy.reach()
    stats = collector(policy, 6, 4, dictionary=True).collect(n_episode=4, reset_before_collect=True)
    assert stats.n_collected_episodes == 4
    with pytest.raises(ValueError, match="must have the leaf 'clock'"):
        act(policy, np.zeros((1, 1)))


def test_actions_are_clipped_to_the_space() -> None:
    policy = make(space=gym.spaces.Box(-0.1, 0.1, (1,)))
    assert np.abs(act(policy, np.linspace(-1, 1, 50)[:, None]).act).max() == pytest.approx(0.1)


# ---------------------------------------------------------------- files


def test_a_saved_policy_acts_the_same(tmp_path) -> None:
    settings = ScoreSettings(history=2, horizon=2, candidates=2, guidance=1.0, **SMALL)
    policy = ScorePolicy.fit(homing(), BOX, settings=settings, device="cpu")
    awaken(policy)
    again = load_score_policy(save_score_policy(policy, tmp_path), device="cpu")
    assert again.settings == settings
    assert again.obs_layout == policy.obs_layout
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors"}
    for each in (policy, again):
        each.reach([0.3])
    assert (act(policy, np.ones((3, 1))).act == act(again, np.ones((3, 1))).act).all()
    free = make(history=0)
    free.obs_encoder = EncoderRecord(tiny_encoder().fingerprint())
    loaded = load_score_policy(save_score_policy(free, tmp_path / "free"), device="cpu")
    assert loaded.goals is None
    assert loaded.obs_encoder is not None
    assert loaded.obs_encoder.as_dict() == json.loads(json.dumps(free.obs_encoder.as_dict()))
    (tmp_path / "free" / "model.safetensors").write_bytes(b"0" * 100)
    with pytest.raises(CheckpointError):
        load_score_policy(tmp_path / "free", device="cpu")


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"space": gym.spaces.Discrete(3)}, r"must be a Box.*Received Discrete\(3\).*BehaviorCloning"),
        ({"space": gym.spaces.Box(-1, 1, (2, 2))}, "must be a Box with one axis"),
        ({"space": gym.spaces.Box(-1, 1, (2,))}, "`act` must normalize the 2 entries of the action space"),
        ({"task_entries": (4,)}, "`task_entries` must be indices of the 1 entries"),
        ({"history": -1}, "`history` must be at least 0"),
        ({"horizon": 2, "execution_horizon": 3}, r"`execution_horizon` must be in \[1, 2\]"),
        ({"candidates": 2, "past_actions": "given"}, "`candidates` must be 1 without predicted past actions"),
        ({"candidates": 2, "history": 0}, "`candidates` must be 1 without predicted past actions"),
        ({"guidance": 1.0, "goal_dropout": 0.0}, "`guidance` must be 0 without hidden goals"),
        ({"guidance": -2.0}, "`guidance` must be at least -1"),
        ({"goal_dropout": 1.0}, r"`goal_dropout` must be in \[0, 1\)"),
        ({"goal_gamma": 1.5}, r"`goal_gamma` must be in \[0, 1\]"),
        ({"n_steps": 0}, "`n_steps` must be at least 1"),
        ({"sampler": "heun"}, "`sampler` must be one of"),
        ({"sigma_range": (1.0, 0.1)}, "`sigma_range` must be two rising positive numbers"),
    ],
)
def test_arguments_outside_their_bounds(arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**arguments)


def test_only_settings_of_sampling_change_after_the_training() -> None:
    policy = make(history=1)
    policy.set_sampling(n_steps=5, candidates=2)
    assert (policy.settings.n_steps, policy.settings.candidates) == (5, 2)
    with pytest.raises(ValueError, match=r"`changes` must be among .*Received \['history'\]"):
        policy.set_sampling(history=2, n_steps=1)
    with pytest.raises(ValueError, match="`n_steps` must be at least 1"):
        policy.set_sampling(n_steps=0)
    assert policy.settings.n_steps == 5


def test_images_are_refused() -> None:
    data = replace(homing(), obs=np.zeros((210, 4, 4, 3), np.uint8), obs_layout=None)
    with pytest.raises(ValueError, match=r"Received shape \(4, 4, 3\); encode images once"):
        ScorePolicy.fit(data, BOX, device="cpu")
