"""Seeds of updates: recorded numbers, which saved runs depend on."""

from rlpriors.agents.seeding import update_seed


def test_recorded_seeds() -> None:
    seeds = [update_seed(0, 0), update_seed(0, 1), update_seed(7, 1000)]
    assert seeds == [7896617691693857887, 2918264622725855778, 3070391556088676067]
    assert all(0 <= seed < 2**63 for seed in seeds)
