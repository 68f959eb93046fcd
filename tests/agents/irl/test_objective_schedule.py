"""Schedule of objectives: warm starts, their order and errors."""

import pytest

from rlpriors.agents import DiffusionIRL
from rlpriors.agents.irl.objective_schedule import ObjectiveSchedule
from rlpriors.agents.irl.objectives import InputPerturbation


@pytest.mark.parametrize("stages", [["density_ratio"], ("density_ratio", 3), [("density_ratio",)]])
def test_warm_starts_are_pairs(walks, make_algorithm, stages) -> None:
    data = walks()
    with pytest.raises(ValueError, match="`warm_start` must be pairs of an objective and a number"):
        make_algorithm(DiffusionIRL, data, prior_data=data, warm_start=stages)


def test_each_objective_runs_for_its_updates(walks, make_policy) -> None:
    policy = make_policy(walks())
    warm_start = [("density_ratio", 2), ("relative", 0), ("relative", 1)]
    schedule = ObjectiveSchedule("contrastive", warm_start, policy, InputPerturbation(), True)
    chosen = [schedule.at(update) for update in range(5)]
    assert [schedule.objectives.index(objective) for objective, _ in chosen] == [0, 0, 2, 3, 3]
    assert [n_earlier for _, n_earlier in chosen] == [0, 1, 0, 0, 1]


def test_the_number_of_updates_is_not_negative(walks, make_policy) -> None:
    with pytest.raises(ValueError, match=r"at least 0 updates\. Received -1"):
        ObjectiveSchedule(
            "contrastive", [("contrastive", -1)], make_policy(walks()), InputPerturbation(), False
        )
