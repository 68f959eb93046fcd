import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, Text, Tuple
from minari import create_dataset_from_buffers
from minari.data_collector.episode_buffer import EpisodeBuffer

from rlpriors.data import Episode
from rlpriors.data.minari import episode_lengths, load_store, read_episodes, write_dataset

pytestmark = pytest.mark.usefixtures("minari_root")

WORLDS = {
    "box": (Box(-9, 9, (3,), np.float64), Box(-1, 1, (2,), np.float32)),
    "nested": (
        Dict({"goal": Box(-9, 9, (2,)), "agent": Dict({"xy": Box(-9, 9, (2,)), "key": MultiBinary(3)})}),
        Box(-1, 1, (2,)),
    ),
    "discrete": (Discrete(5), Discrete(3, start=2)),
    "image": (Box(0, 255, (6, 5, 3), np.uint8), Discrete(3)),
}


class Toy(gym.Env):
    """Shows and takes samples of its spaces; an episode lasts four steps."""

    def __init__(self, world):
        self.observation_space, self.action_space = WORLDS[world]

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if seed is not None:
            self.observation_space.seed(seed)
        self.time = 0
        return self.observation_space.sample(), {}

    def step(self, action):
        assert self.action_space.contains(action)
        self.time += 1
        return self.observation_space.sample(), float(self.time), self.time == 4, False, {}


def stack(trees):
    if isinstance(trees[0], dict):
        return {key: stack([tree[key] for tree in trees]) for key in trees[0]}
    return np.stack(trees)


def rollout(env, seed):
    env.action_space.seed(seed)
    obs, act, rest = [env.reset(seed=seed)[0]], [], []
    while not rest or not rest[-1][1]:
        act.append(env.action_space.sample())
        next_obs, *outcome, _ = env.step(act[-1])
        obs.append(next_obs)
        rest.append(outcome)
    rew, terminated, truncated = (np.array(column) for column in zip(*rest, strict=True))
    return Episode(stack(obs), np.stack(act), rew, terminated, truncated, seed)


def assert_same(got, put):
    if isinstance(put, dict):
        assert sorted(got) == sorted(put)
        for key in put:
            assert_same(got[key], put[key])
    else:
        assert np.array_equal(got, put)


@pytest.mark.parametrize("world", WORLDS)
def test_round_trip(world):
    env = Toy(world)
    episodes = [rollout(env, seed) for seed in range(3)]
    dataset = write_dataset(episodes, "toys/test-v0", env, author="A. Nonymous")
    assert dataset.total_steps == 12
    back = list(read_episodes("toys/test-v0"))
    assert len(back) == 3
    for got, put in zip(back, episodes, strict=True):
        for name in ("act", "rew", "terminated", "truncated"):
            assert np.array_equal(getattr(got, name), getattr(put, name))
        assert_same(got.obs, put.obs)  # images too, bit for bit
        assert got.seed == put.seed
    assert [episode.seed for episode in read_episodes("toys/test-v0", [2, 0])] == [2, 0]


def test_load_store_selects():
    env = Toy("nested")
    episodes = [rollout(env, seed) for seed in range(3)]
    write_dataset(episodes, "test-v0", env)
    store = load_store("test-v0", obs_keys=["goal", "agent/xy"], episodes=2)
    assert (store.n_episodes, store.n_steps) == (2, 8)
    assert np.array_equal(store.obs[5:, :2], episodes[1].obs["goal"])
    assert np.array_equal(store.obs[5:, 2:], episodes[1].obs["agent"]["xy"])
    assert load_store("test-v0").obs.shape == (15, 7)
    with pytest.raises(ValueError, match=r"`keys` must name leaves.*'agent/key', 'agent/xy', 'goal'"):
        load_store("test-v0", obs_keys=["achieved"])
    with pytest.raises(ValueError, match=r"`episodes` must be at most 3, all of test-v0. Received 4"):
        load_store("test-v0", episodes=4)
    with pytest.raises(ValueError, match=r"`episodes` must be at least 1. Received 0"):
        load_store("test-v0", episodes=0)
    with pytest.raises(ValueError, match=r"`indices` must be in 0..2: there are 3 episodes. Received 3"):
        read_episodes("test-v0", [3])


class TestText:
    """A data set with the spaces of D4RL/minigrid/fourrooms-v0."""

    @pytest.fixture
    def name(self):
        image = gym.spaces.Box(0, 255, (7, 7, 3), np.uint8)
        space = gym.spaces.Dict(direction=gym.spaces.Discrete(4), image=image, mission=gym.spaces.Text(20))
        episode = EpisodeBuffer(
            observations={
                "direction": np.array([0, 1, 2]),
                "image": np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((7, 7, 3), np.uint8),
                "mission": ["reach the goal"] * 3,
            },
            actions=np.array([1, 2]),
            rewards=[0.0, 1.0],
            terminations=[False, True],
            truncations=[False, False],
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the fields that are not given
            create_dataset_from_buffers(
                "odd/text-v0", [episode], observation_space=space, action_space=gym.spaces.Discrete(7)
            )
        return "odd/text-v0"

    def test_the_other_leaves_load(self, name):
        store = load_store(name, obs_keys=("direction", "image"))
        assert store.obs[:, :2].tolist() == [[0, 0], [1, 1], [2, 2]]
        assert store.obs_layout.shapes == ((), (7, 7, 3))
        assert episode_lengths(name).tolist() == [2]

    def test_text_itself_is_refused(self, name):
        with pytest.raises(ValueError, match=r"\['mission'\].*select other leaves by `obs_keys`"):
            load_store(name)
        with pytest.raises(ValueError, match=r"observations must be Box.*Received Text"):
            load_store(name, obs_keys=("image", "mission"))


def test_discrete_world_as_store():
    env = Toy("discrete")
    write_dataset([rollout(env, 0)], "test-v0", env)
    store = load_store("test-v0")
    assert store.obs.shape == (5,)
    assert store.act.dtype == np.int64
    assert store.windows(np.array([0]), 4).act.shape == (1, 4, 1)


def test_the_environment_is_remembered():
    env = gym.make("CartPole-v1", max_episode_steps=7)
    dataset = write_dataset([rollout_cartpole(env)], "cartpole/test-v0", env)
    again = dataset.recover_environment()
    assert again.spec.id == "CartPole-v1"
    assert again.spec.max_episode_steps == 7


def rollout_cartpole(env):
    done = np.arange(3) == 2
    return Episode(np.zeros((4, 4), np.float32), np.array([0, 1, 0]), np.ones(3), done, ~done & False)


def test_a_spec_that_is_no_json_is_left_out_aloud():
    gym.register("ToyByClass-v0", Toy, kwargs={"world": "box"})
    try:
        env = gym.make("ToyByClass-v0", disable_env_checker=True)
        with pytest.warns(UserWarning, match="has no environment spec, because the spec is not JSON"):
            dataset = write_dataset([rollout(env, 0)], "test-v0", env)
    finally:
        del gym.registry["ToyByClass-v0"]
    assert dataset.env_spec is None
    assert load_store("test-v0").n_steps == 4


def test_spaces_stand_in_for_an_environment():
    observation_space, action_space = WORLDS["box"]
    write_dataset(
        [rollout(Toy("box"), 0)], "test-v0", observation_space=observation_space, action_space=action_space
    )
    assert load_store("test-v0").n_episodes == 1
    with pytest.raises(ValueError, match="`env`, or `observation_space` and `action_space`, must be given"):
        write_dataset([rollout(Toy("box"), 0)], "test-v1", observation_space=observation_space)


def test_missing_set_names_the_command_and_the_folder(minari_root):
    for read in (read_episodes, load_store):
        with pytest.raises(FileNotFoundError) as caught:
            read("D4RL/pointmaze/umaze-v2")
        assert "`minari download D4RL/pointmaze/umaze-v2`" in str(caught.value)
        assert str(minari_root) in str(caught.value)


def test_a_taken_name_is_refused():
    env = Toy("box")
    write_dataset([rollout(env, 0)], "toys/test-v0", env)
    with pytest.raises(ValueError, match=r"`dataset_id` must be new.*`minari delete toys/test-v0`"):
        write_dataset([rollout(env, 1)], "toys/test-v0", env)
    assert next(read_episodes("toys/test-v0")).seed == 0


@pytest.mark.parametrize("name", ["noversion", "x/short-v0", "spa ce-v0", "", "../outside-v0"])
def test_malformed_names_are_refused(name, minari_root):
    with pytest.raises(ValueError, match=r"`dataset_id` must be \(namespace/\)name-v<number>.*Received"):
        write_dataset([rollout(Toy("box"), 0)], name, Toy("box"))
    with pytest.raises(ValueError, match="`dataset_id` must be"):
        read_episodes(name)
    assert not list(minari_root.iterdir())


def spoil(episode, name, value, row=1):
    array = np.array(getattr(episode, name), dtype=np.float64)
    array[row] = value
    return episode._replace(**{name: array})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda e: e._replace(obs=e.obs[:, :2]),
            r"`obs` must have 5 rows of shape \(3,\).*Received shape \(5, 2\)",
        ),
        (
            lambda e: e._replace(obs=e.obs[1:]),
            r"`obs` must have 5 rows.*Received shape \(4, 3\) in episode 1",
        ),
        (lambda e: e._replace(obs={"a": e.obs}), "`obs` must be an array.*Received a dict in episode 1"),
        (
            lambda e: e._replace(act=e.act[:, 0]),
            r"`act` must have 4 rows of shape \(2,\).*Received shape \(4,\)",
        ),
        (lambda e: spoil(e, "obs", np.nan), "`obs` must be finite.*at step 1 of episode 1"),
        (lambda e: spoil(e, "act", np.inf), "`act` must be finite.*at step 1 of episode 1"),
        (lambda e: spoil(e, "act", 7.9), r"`act` must be actions.*Received .*7\.9.*step 1 of episode 1"),
        (lambda e: spoil(e, "rew", np.nan), "`rew` must be finite.*at step 1 of episode 1"),
        (
            lambda e: Episode(e.obs[:1], *(a[:0] for a in e[1:5])),
            "at least one step. Received none in episode 1",
        ),
    ],
)
def test_bad_episodes_are_refused_and_leave_nothing(change, message, minari_root):
    env = Toy("box")
    with pytest.raises(ValueError, match=message):
        write_dataset([rollout(env, 0), change(rollout(env, 1))], "test-v0", env)
    assert not (minari_root / "test-v0").exists()
    write_dataset([rollout(env, 0)], "test-v0", env)
    assert load_store("test-v0").action_space == env.action_space


def test_no_episodes_are_refused():
    with pytest.raises(ValueError, match=r"`episodes` must contain at least one episode. Received none"):
        write_dataset([], "test-v0", Toy("box"))


def test_wrong_keys_are_refused():
    env = Toy("nested")
    episode = rollout(env, 0)
    with pytest.raises(
        ValueError, match=r"`obs` must have the keys \['agent', 'goal'\].*Received \['goal'\]"
    ):
        write_dataset([episode._replace(obs={"goal": episode.obs["goal"]})], "test-v0", env)
    with pytest.raises(ValueError, match=r"`obs\['agent'\]` must have the keys.*Received a ndarray"):
        write_dataset([episode._replace(obs={**episode.obs, "agent": np.zeros(5)})], "test-v0", env)


@pytest.mark.parametrize(
    ("observation_space", "action_space", "message"),
    [
        (
            Tuple([Discrete(2)]),
            Discrete(2),
            "`observation_space` must be Box.*or a Dict of these.*Received Tuple",
        ),
        (Dict({"say": Text(4)}), Discrete(2), r"`observation_space\['say'\]` must be Box.*Received Text"),
        (Discrete(2), Dict({"a": Discrete(2)}), "`action_space` must be Box.*MultiBinary. Received Dict"),
    ],
)
def test_other_spaces_are_refused(observation_space, action_space, message):
    with pytest.raises(ValueError, match=message):
        write_dataset([], "test-v0", observation_space=observation_space, action_space=action_space)
