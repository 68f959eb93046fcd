"""Saved rewards over random settings: the loaded reward has equal bits and scores."""

from tempfile import TemporaryDirectory
from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st

from rlpriors.data.normalize import Normalizer
from rlpriors.rewards import MLPReward, RewardSettings, load_reward


@st.composite
def settings_fields(draw: st.DrawFn) -> dict[str, Any]:
    """Fields of `RewardSettings`: random inputs, with discrete or continuous actions."""
    obs_dim = draw(st.integers(1, 5))
    n_actions = draw(st.none() | st.integers(1, 4))
    index = st.lists(st.integers(0, obs_dim - 1), min_size=1, unique=True).map(tuple)
    return {
        "obs_dim": obs_dim,
        "act_dim": draw(st.integers(1, 3)) if n_actions is None else 1,
        "inputs": tuple(draw(st.permutations(["obs", "act", "obs_next"]))[: draw(st.integers(1, 3))]),
        "obs_index": draw(st.none() | index),
        "n_actions": n_actions,
        "action_start": 0 if n_actions is None else draw(st.integers(-3, 3)),
        "hidden": tuple(draw(st.lists(st.integers(1, 8), max_size=2))),
        "spectral_norm": draw(st.booleans()),
    }


@given(fields=settings_fields(), seed=st.integers(0, 99))
def test_a_saved_reward_is_loaded_bit_by_bit(fields, seed):
    torch.manual_seed(seed)
    settings = RewardSettings(**fields)
    reward = MLPReward(settings, Normalizer.gaussian(torch.randn(9, settings.obs_dim)))
    with TemporaryDirectory() as folder:
        loaded = load_reward(reward.save(folder), "cpu")
    assert loaded.settings == reward.settings
    ours, theirs = loaded.state_dict(), reward.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    obs, obs_next = torch.randn(2, 4, settings.obs_dim)
    act = torch.randn(4, settings.act_dim)
    if settings.n_actions is not None:
        act = torch.randint(settings.n_actions, (4, 1)).float() + settings.action_start
    inputs = (obs, act, obs_next, torch.tensor([False, True, False, True]))
    with torch.no_grad():
        assert torch.equal(loaded(*inputs), reward(*inputs))
