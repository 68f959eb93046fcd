import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from rlpriors.envs.gridworld.gridworld import ACTIONS, GridWorld, four_rooms
from rlpriors.envs.gridworld.trajectories import demonstrations, goal_rollouts, rollouts
from rlpriors.envs.maze.maze import Maze
from rlpriors.evaluation.rewards.value_iteration import soft_policy, value_iteration

# . . .      0 1 2     row 0: y = .5
# . # .      3   4     row 1: y = -.5
BEND = [[0, 0, 0], [0, 1, 0]]
STAY, RIGHT, LEFT, UP, DOWN = range(5)


def bend(**changes):
    return GridWorld(**({"maze": BEND, "rewards": {(1, 2): 1.0, (0, 1): -0.5}} | changes))


def test_destinations_by_hand():
    # Walls and edges keep the env where it is.
    assert bend().destination.tolist() == [
        [0, 1, 0, 0, 3],
        [1, 2, 0, 1, 1],
        [2, 2, 1, 2, 4],
        [3, 3, 3, 0, 3],
        [4, 4, 4, 2, 4],
    ]


def test_model_by_hand():
    env = bend(slip=0.5)
    # Right from state 1: 2 for sure with chance .5; else stay, right, left, up, down, of which
    # three stay, one goes to 2 and one to 0.
    assert env.transition[1, RIGHT] == pytest.approx([0.1, 0.3, 0.6, 0, 0])
    assert env.transition.sum(-1) == pytest.approx(np.ones((5, 5)))
    assert env.reward_table.shape == (5, 5, 5)
    assert env.reward_table[3, UP] == pytest.approx([0, -0.5, 0, 0, 1])
    assert env.start == pytest.approx(np.full(5, 0.2))
    assert bend(starts=[(1, 0), (0, 0), (1, 0)]).start == pytest.approx([1 / 3, 0, 0, 2 / 3, 0])


def test_steps_follow_the_model():
    env = bend(slip=0.3, max_episode_steps=100_000)
    env.reset(seed=1, options={"reset_cell": (0, 2)})
    counts = np.zeros((5, 5, 5))
    for i in range(4000):
        before, action = env.state, i % 5
        obs, reward, terminated, truncated, info = env.step(action)
        assert info["state"] == env.state_of(obs[None])[0]
        assert reward == env.cell_rewards[env.state]
        assert not terminated
        assert not truncated
        counts[before, action, env.state] += 1
    visits = counts.sum(-1, keepdims=True)
    off = np.abs(counts / visits.clip(1) - env.transition) * np.sqrt(visits)
    assert off.max() < 2.5  # a standard deviation is at most .5
    assert (counts[env.transition == 0] == 0).all()


def test_episodes_end_by_truncation_and_start_where_told():
    env = bend(max_episode_steps=2, starts=[(1, 2)])
    obs, info = env.reset(seed=0)
    assert obs.tolist() == [1.0, -0.5]
    assert info == {"state": 4}
    assert env.step(STAY)[1:4] == (1.0, False, False)
    assert env.step(UP)[1:4] == (0.0, False, True)
    assert env.reset(options={"reset_cell": np.array([0, 1])})[1] == {"state": 1}


@pytest.mark.parametrize(
    ("vector", "action"),
    [
        ((0.5, 0.0), RIGHT),
        ((-0.7, 0.6), LEFT),
        ((0.3, 0.9), UP),
        ((0.5, -0.51), DOWN),
        ((0.49, -0.49), STAY),
        ((1.0, 1.0), RIGHT),
    ],
)
def test_the_larger_component_of_a_vector_decides(vector, action):
    env = bend(actions="vector")
    assert env.action_number(np.array([vector], np.float32)).tolist() == [action]
    there, back = bend(), env
    for other, act in ((there, action), (back, np.array(vector, np.float32))):
        other.reset(options={"reset_cell": (0, 1)})
        other.step(act)
    assert there.state == back.state


def test_data_of_both_kinds_of_action_mean_the_same():
    for kind, dim in (("discrete", 1), ("vector", 2)):
        env = bend(actions=kind)
        assert env.action_data.shape == (5, dim)
        assert env.action_number(env.action_data).tolist() == [0, 1, 2, 3, 4]
    assert bend().action_number(np.array([3, 4])).tolist() == [3, 4]


@pytest.mark.parametrize("actions", ["discrete", "vector"])
def test_gymnasium_accepts_it(actions):
    env = GridWorld(four_rooms(5), {(0, 0): 1.0}, slip=0.1, actions=actions)
    check_env(env, skip_render_check=True)
    again = pickle.loads(pickle.dumps(env))
    env.reset(seed=3)
    again.reset(seed=3)
    for action in [1, 3, 2, 4, 0] * 4:
        act = ACTIONS[action] if actions == "vector" else action
        assert env.step(act)[0].tolist() == again.step(act)[0].tolist()


def test_many_at_once():
    envs = gym.vector.SyncVectorEnv([lambda: bend(max_episode_steps=3)] * 2)
    obs, _ = envs.reset(seed=0)
    assert obs.shape == (2, 2)
    *_, truncated, _ = [envs.step(np.array([1, 2])) for _ in range(3)][-1]
    assert truncated.all()


def test_observations_are_cell_centers_and_lie_in_the_space():
    env = GridWorld(Maze([[0, 0, 1]], scaling=2.0))
    assert env.xy.tolist() == [[-2.0, 0.0], [0.0, 0.0]]
    assert env.observation_space.high.tolist() == [3.0, 1.0]
    assert env.state_of(np.array([[-1.2, 0.9], [2.9, 0.0]])).tolist() == [0, 1]


def test_changed_keeps_the_rest():
    env = bend(slip=0.2, max_episode_steps=7)
    other = env.changed(maze=[[0, 0, 0], [0, 0, 0]], slip=0.0)
    assert (other.n_states, other.slip, other.max_episode_steps) == (6, 0.0, 7)
    assert other.start == pytest.approx(np.full(6, 1 / 6))  # everywhere is everywhere in the new map
    assert other.cell_rewards.tolist() == [0, -0.5, 0, 0, 0, 1.0]
    assert bend(starts=[(0, 0)]).changed(slip=0.1).starts == [(0, 0)]


def test_four_rooms_are_joined():
    assert four_rooms(5) == [
        [0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0],
        [1, 0, 1, 0, 1],
        [0, 0, 0, 0, 0],
        [0, 0, 1, 0, 0],
    ]
    maze = Maze(four_rooms(9))
    assert len(maze.reachable((0, 0))) == len(maze.free_cells) == 81 - 17 + 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"slip": 1.5}, r"`slip` must be in \[0, 1\]. Received 1.5"),
        ({"actions": "angles"}, '`actions` must be "discrete" or "vector"'),
        ({"max_episode_steps": 0}, "`max_episode_steps` must be at least 1"),
        ({"starts": []}, "`starts` must contain at least one"),
        ({"starts": [(1, 1)]}, r"`starts` must contain free cells.*Received \(1, 1\)"),
        ({"rewards": {(9, 9): 1.0}}, "`rewards` must contain free cells"),
        ({"rewards": {(0, 0): float("nan")}}, "`rewards` must be finite"),
    ],
)
def test_bad_worlds(changes, message):
    with pytest.raises(ValueError, match=message):
        bend(**changes)


def test_bad_actions_cells_changes_and_sizes():
    with pytest.raises(ValueError, match=r"`act` must be numbers in 0\.\.4"):
        bend().step(5)
    with pytest.raises(ValueError, match=r"`act` must be numbers in 0\.\.4"):
        bend().step(0.5)
    with pytest.raises(ValueError, match="`act` must be finite vectors"):
        bend(actions="vector").step(np.array([np.nan, 0.0], np.float32))
    with pytest.raises(ValueError, match="`cell` must be a free cell"):
        bend().reset(options={"reset_cell": (1, 1)})
    with pytest.raises(ValueError, match=r"`changes` must be among.*Received \['walls'\]"):
        bend().changed(walls=[])
    with pytest.raises(ValueError, match="`size` must be odd"):
        four_rooms(8)


# Planning and data


def test_values_by_hand():
    # A corridor of three with 1 for arriving at its right end: V is 10, 10, 9 from the right.
    env = GridWorld([[0, 0, 0]], {(0, 2): 1.0})
    expected = np.einsum("san,san->sa", env.transition, env.reward_table)
    q = value_iteration(env.transition, expected, gamma=0.9)
    assert q[:, RIGHT] == pytest.approx([9.0, 10.0, 10.0])
    assert q[0, STAY] == pytest.approx(8.1)
    assert soft_policy(q, 0.0)[1].tolist() == [0, 1, 0, 0, 0]
    assert soft_policy(q, 0.0)[2] == pytest.approx([0.25, 0.25, 0, 0.25, 0.25])


def test_soft_values_by_hand():
    # One cell: V = log(5 exp(1 + V / 2)) = 1 + log 5 + V / 2.
    q = value_iteration(np.ones((1, 5, 1)), np.ones((1, 5)), gamma=0.5, temperature=1.0)
    assert q == pytest.approx(1 + 0.5 * 2 * (1 + np.log(5)))
    # Temperature t: V = t log 5 + 1 + V / 2.
    q = value_iteration(np.ones((1, 5, 1)), np.ones((1, 5)), gamma=0.5, temperature=0.1)
    assert q == pytest.approx(1 + (1 + 0.1 * np.log(5)))
    assert soft_policy(np.array([[0.0, np.log(3.0)]]), 1.0) == pytest.approx(np.array([[0.25, 0.75]]))
    # A stack of rewards gives a stack of values.
    stack = np.stack([np.ones((1, 5)), np.zeros((1, 5))])
    assert value_iteration(np.ones((1, 5, 1)), stack, gamma=0.5)[:, 0, 0] == pytest.approx([2.0, 0.0])


def test_demonstrations_go_to_the_reward_and_stay():
    env = GridWorld(four_rooms(9), {(8, 8): 1.0}, slip=0.05, max_episode_steps=60)
    store = demonstrations(env, 20, seed=0, temperature=0.02)
    assert (store.n_episodes, store.n_steps) == (20, 1200)
    assert store.truncated.reshape(20, 60)[:, -1].all()
    assert not store.terminated.any()
    assert store.rew.reshape(20, 60)[:, -10:].mean() > 0.8
    assert len(np.unique(store.obs.reshape(20, 61, 2)[:, 0], axis=0)) > 10


@pytest.mark.parametrize("actions", ["discrete", "vector"])
def test_data_obey_the_world(actions):
    env = GridWorld(four_rooms(5), {(0, 0): 1.0}, actions=actions, max_episode_steps=30)
    store = goal_rollouts(env, 8, seed=1)
    states = env.state_of(store.obs).reshape(8, 31)
    acts = env.action_number(store.act).reshape(8, 30)
    assert (env.destination[states[:, :-1], acts] == states[:, 1:]).all()
    assert (store.rew.reshape(8, 30) == (states[:, 1:] == 0)).all()
    assert store.act.dtype == (np.float32 if actions == "vector" else np.int64)
    assert store.act.shape == ((240, 2) if actions == "vector" else (240,))


def test_goal_rollouts_walk_and_rest():
    env = GridWorld(four_rooms(9), max_episode_steps=200)
    store = goal_rollouts(env, 10, seed=0, rest=(10, 10), temperature=0.01)
    states = env.state_of(store.obs).reshape(10, 201)
    rests = (states[:, 1:] == states[:, :-1]).mean()
    assert 0.3 < rests < 0.9
    assert len(np.unique(states)) > 0.9 * env.n_states
    brisk = goal_rollouts(env, 10, seed=0, rest=(0, 0), temperature=0.01)
    on_the_move = env.state_of(brisk.obs).reshape(10, 201)
    assert (on_the_move[:, 1:] == on_the_move[:, :-1]).mean() < 0.05


def test_fewer_episodes_are_a_prefix():
    env = GridWorld(BEND, slip=0.2, max_episode_steps=9)
    for make in (goal_rollouts, demonstrations):
        some, more = make(env, 2, seed=5), make(env, 4, seed=5)
        assert more.obs[:20].tolist() == some.obs.tolist()
        assert more.act[:18].tolist() == some.act.tolist()
        assert make(env, 2, seed=6).obs.tolist() != some.obs.tolist()


def test_slips_are_as_frequent_as_the_model_says():
    env = GridWorld([[0] * 120], slip=0.4, max_episode_steps=100, starts=[(0, 10)])
    store = rollouts(env, np.tile([0.0, 1, 0, 0, 0], (120, 1)), 40, seed=0)
    moves = np.diff(env.state_of(store.obs).reshape(40, 101))
    assert (moves == 1).mean() == pytest.approx(0.6 + 0.08, abs=0.02)
    assert (moves == -1).mean() == pytest.approx(0.08, abs=0.02)
    assert (moves == 0).mean() == pytest.approx(0.24, abs=0.02)


def test_bad_data_and_planning():
    env = bend()
    with pytest.raises(ValueError, match="`n_episodes` must be at least 1 and `seed` at least 0"):
        demonstrations(env, 0, seed=0)
    with pytest.raises(ValueError, match="`rest` must be"):
        goal_rollouts(env, 1, seed=0, rest=(3, 2))
    with pytest.raises(ValueError, match="`policy` must have rows of probabilities"):
        rollouts(env, np.ones((5, 5)), 1, seed=0)
    good = np.zeros((5, 5))
    for changes, message in (
        ({"gamma": 1.0}, r"`gamma` must be in \[0, 1\)"),
        ({"temperature": -1.0}, "`temperature` must be at least 0"),
        ({"reward": np.full((5, 5), np.inf)}, "`reward` must hold finite"),
        ({"reward": np.zeros((5, 4))}, "`reward` must hold finite"),
    ):
        with pytest.raises(ValueError, match=message):
            value_iteration(**({"transition": env.transition, "reward": good, "gamma": 0.9} | changes))
    with pytest.raises(RuntimeError, match="3 iterations left"):
        value_iteration(env.transition, good + 1, gamma=0.9, max_iterations=3)
    with pytest.raises(ValueError, match="`temperature`"):
        soft_policy(good, -1.0)
