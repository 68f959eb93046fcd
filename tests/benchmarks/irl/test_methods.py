"""Registry of methods: settings of the variants."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from benchmarks.irl.environments.base import Budget
from benchmarks.irl.methods import KNOBS, METHODS, VARIANTS, chosen_knobs, reward_learning
from benchmarks.irl.methods.knobs import N_TRIALS
from benchmarks.tables import write_csv

from rlpriors.agents import DiffusionIRLSettings


def test_variants_differ_from_their_control_in_one_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    class Arguments(Exception):
        """Arguments of `DiffusionIRL`."""

    def stand_in(**arguments: object) -> None:
        raise Arguments(arguments)

    monkeypatch.setattr(reward_learning, "DiffusionIRL", stand_in)
    environment = SimpleNamespace(budget=Budget(), obs_index=(0, 1), plans=True)
    experiment = SimpleNamespace(
        environment=environment,
        seed=0,
        data=None,
        knobs={},
        planner=lambda trained: None,
        reward=lambda **inputs: inputs,
    )

    def arguments_of(name: str) -> tuple[object, object, object]:
        with pytest.raises(Arguments) as caught:
            METHODS[name].learn(experiment)
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
    assert arguments_of("contrastive-obs-act") == ("contrastive", DiffusionIRLSettings(), with_actions)
    assert arguments_of("contrastive") == ("contrastive", DiffusionIRLSettings(), {"obs_index": (0, 1)})


def test_every_search_has_the_same_number_of_distinct_trials() -> None:
    assert set(KNOBS) <= set(METHODS)
    for trials in KNOBS.values():
        assert len(trials) == N_TRIALS
        assert trials[0] == {}
        assert all(trials.count(trial) == 1 for trial in trials)


def test_chosen_knobs_are_those_of_the_world_and_the_method(tmp_path: Path) -> None:
    choices = tmp_path / "choices.csv"
    header = ("world", "method", "knobs", "metric", "value")
    write_csv(choices, header, [["reacher", "gail", '{"lr": 0.001}', "step_spearman", "0.5"]])
    assert chosen_knobs("reacher", "gail", choices) == {"lr": 1e-3}
    assert chosen_knobs("umaze", "gail", choices) == {}
