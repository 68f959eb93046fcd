"""Registry of methods: settings of the variants."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from benchmarks.irl import reward_learning
from benchmarks.irl.environments.base import Budget
from benchmarks.irl.methods import METHODS, VARIANTS

from rlpriors.agents import DiffusionIRLSettings


def test_variants_differ_from_their_control_in_one_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    class Arguments(Exception):
        """Arguments of `DiffusionIRL`."""

    def stand_in(**arguments: object) -> None:
        raise Arguments(arguments)

    monkeypatch.setattr(reward_learning, "DiffusionIRL", stand_in)
    environment = SimpleNamespace(budget=Budget(), obs_index=(0, 1), max_start=60)
    experiment = SimpleNamespace(
        environment=environment, seed=0, data=None, planner=lambda: None, reward=lambda **inputs: inputs
    )

    def arguments_of(name: str) -> tuple[object, object, object]:
        with pytest.raises(Arguments) as caught:
            METHODS[name](experiment)
        arguments = caught.value.args[0]
        return arguments["objective"], arguments["settings"], arguments["reward"]

    unweighted = DiffusionIRLSettings(temporal_variation_exponent=0.0)
    full_obs, with_actions = {"obs_index": None}, {"obs_index": None, "inputs": ("obs", "act")}
    expected = {
        "full-obs-unweighted": ("contrastive", unweighted, full_obs),
        "full-obs-noise": ("contrastive", replace(unweighted, input_noise=0.3), full_obs),
        "obs-act-unweighted": ("contrastive", unweighted, with_actions),
        "obs-act-marginal": ("contrastive", replace(unweighted, marginal_actions=True), with_actions),
    }
    assert {name: arguments_of(name) for name in expected} == expected
    assert set(expected) <= set(VARIANTS)
    assert arguments_of("contrastive-obs-act") == ("contrastive", None, with_actions)
    assert arguments_of("contrastive") == ("contrastive", None, {"obs_index": (0, 1)})
