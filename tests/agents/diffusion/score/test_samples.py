"""Training windows with a past: bounds of episodes, flags, goals of the same episode."""

import numpy as np
from tianshou.data import Batch

from rlpriors.agents.diffusion.score.rollout import Past
from rlpriors.agents.diffusion.score.samples import HistoryBuffer
from rlpriors.agents.diffusion.score.settings import ScoreSettings
from rlpriors.data.episodes import Episode, EpisodeStore


def numbered(*lengths: int) -> EpisodeStore:
    """Episodes whose observations and actions are numbers: 100 e + t."""
    return EpisodeStore.from_episodes(
        Episode(
            100.0 * e + np.arange(n + 1.0)[:, None],
            100.0 * e + np.arange(float(n))[:, None],
            *np.zeros((3, n)),
        )
        for e, n in enumerate(lengths)
    )


def test_windows_by_hand() -> None:
    batch, steps = HistoryBuffer(numbered(3, 2), history=2, horizon=2, gamma=0.0, seed=0).sample(None)
    assert steps.tolist() == [0, 1, 2, 3, 4]
    assert batch.obs[..., 0].tolist() == [
        [0, 0, 0],
        [0, 0, 1],
        [0, 1, 2],
        [100, 100, 100],
        [100, 100, 101],
    ]
    assert batch.act[..., 0].tolist() == [
        [0, 0, 0, 1],
        [0, 0, 1, 2],
        [0, 1, 2, 2],
        [100, 100, 100, 101],
        [100, 100, 101, 101],
    ]
    yes, no = True, False
    assert batch.valid.tolist() == [
        [no, no, yes, yes],
        [no, yes, yes, yes],
        [yes, yes, yes, no],
        [no, no, yes, yes],
        [no, yes, yes, no],
    ]
    assert batch.goal[:, 0].tolist() == [1, 2, 3, 101, 102]


def test_samples_depend_on_the_number_of_the_draw_alone() -> None:
    store = numbered(30, 20)
    one, two = (HistoryBuffer(store, 1, 1, 0.9, seed=3) for _ in range(2))
    first, second = one.sample(16), one.sample(16)
    two.draws = 1
    again = two.sample(16)
    assert (again[1] == second[1]).all()
    assert (again[0].goal == second[0].goal).all()
    assert (first[1] != second[1]).any()
    same = second[0].goal[:, 0].numpy() // 100 == second[0].obs[:, -1, 0].numpy() // 100
    later = second[0].goal[:, 0].numpy() > second[0].obs[:, -1, 0].numpy()
    assert same.all()
    assert later.all()


# ---------------------------------------------------------------- the past in a rollout


def test_a_rollout_holds_the_windows_that_training_samples() -> None:
    """Observations and actions of a recorded episode, replayed step by step, give the sampled windows."""
    store, settings = numbered(5), ScoreSettings(history=2, horizon=1)
    batch, _ = HistoryBuffer(store, 2, 1, 1.0, seed=0).sample(None)
    state = None
    for t in range(5):
        past = Past(1, 1, 1, settings, state)
        past.see(store.obs[[t]])
        flags = batch.valid[t].numpy()
        assert (past.valid[0] == flags).all()
        assert (past.obs[0][flags] == batch.obs[t].numpy()[flags]).all()
        assert (past.actions[0][flags[:-1]] == batch.act[t, :-1].numpy()[flags[:-1]]).all()
        past.plan(past.need_plan, store.act[[t]][:, None])
        assert past.act()[0] == store.act[t]
        state = past.as_batch()


def test_a_cleared_state_begins_an_episode() -> None:
    settings = ScoreSettings(history=2, horizon=3, execution_horizon=3)
    past = Past(2, 1, 1, settings)
    past.see(np.ones((2, 1)))
    past.plan(past.need_plan, np.ones((2, 3, 1)))
    past.act()
    state = past.as_batch()
    assert isinstance(state, Batch)
    state.empty_(np.array([1]))  # as a collector does where an episode ended
    after = Past(2, 1, 1, settings, state)
    after.see(np.ones((2, 1)))
    assert after.need_plan.tolist() == [1]
    assert after.valid.tolist() == [[False, True, True], [False, False, True]]
