"""Environments whose images are features: live and recorded, plain, Dict and rendered."""

import gymnasium as gym
import numpy as np
import pytest
from spot_env import Spot

from rlpriors.data import Episode, EpisodeStore
from rlpriors.encoders import EncoderRecord, load_encoder
from rlpriors.envs.encoded_env import EncodedEnvs, recorded_env
from rlpriors.rewards import MLPReward, RewardSettings

OPTIONS = {"encoder": "nature-cnn", "weights": "none", "input_size": [36, 36], "stack": 2, "image_size": 36}


@pytest.fixture(scope="module")
def envs() -> EncodedEnvs:
    return EncodedEnvs.load(OPTIONS, "cpu")


def play(env: gym.Env, actions: list[int], seed: int) -> list:
    obs, _ = env.reset(seed=seed)
    return [obs, *(env.step(action)[0] for action in actions)]


@pytest.mark.parametrize(
    ("env_id", "keys", "size"),
    [
        ("spot_env:Spot-v0", None, 1024),
        ("spot_env:SpotDict-v0", None, 1025),
        ("spot_env:SpotDict-v0", ("place", "camera"), 1025),
        ("spot_env:SpotDict-v0", ("camera",), 1024),
        ("spot_env:SpotRendered-v0", None, 1024),
    ],
)
def test_recorded_images_are_encoded_as_live_ones(env_id, keys, size, envs) -> None:
    """Episodes of two lengths, with a stack of two frames that starts anew in each."""
    actions = [[2, 2, 0], [0, 2]]
    images, live = envs.make_images(env_id), envs.make(env_id, keys)
    assert live.observation_space.shape == (size,)

    def read(chosen) -> EpisodeStore:
        episodes = []
        for seed, acts in enumerate(actions):
            obs = play(images, acts, seed)
            tree = {key: np.stack([one[key] for one in obs]) for key in obs[0]} if chosen else np.stack(obs)
            episodes.append(Episode(tree, np.array(acts), *np.zeros((3, len(acts)))))
        return EpisodeStore.from_episodes(episodes, chosen, images.action_space)

    store = envs.encode(read, images, keys)
    expected = np.concatenate([play(live, acts, seed) for seed, acts in enumerate(actions)])
    np.testing.assert_allclose(store.obs, expected, rtol=1e-5, atol=1e-6)
    assert store.lengths.tolist() == [3, 2]
    layout = store.obs_layout
    assert (None if layout is None else layout.keys) == (
        None if "Dict" not in env_id else keys or ("camera", "place")
    )
    assert layout == live.observation_space.obs_layout


def test_random_data_have_the_layout_of_the_features(envs) -> None:
    store = envs.collect_random("spot_env:SpotDict-v0", 20, seed=0)
    assert store.n_steps >= 20
    assert store.obs.shape[1:] == (1025,)
    assert store.obs_layout.shapes == ((1024,), (1,))


def test_an_encoder_needs_an_image(envs) -> None:
    with pytest.raises(ValueError, match=r"`obs_keys` must contain an image, one of \['camera'\]"):
        envs.make("spot_env:SpotDict-v0", ("place",))


def test_a_folder_of_a_reward_gives_the_environment(envs, tmp_path) -> None:
    reward = MLPReward(RewardSettings(obs_dim=1024, act_dim=1))
    with pytest.raises(ValueError, match="recorded none; use make_env"):
        recorded_env("spot_env:Spot-v0", reward.save(tmp_path / "plain"))
    reward.record_encoder(EncoderRecord(envs.encoder.fingerprint(), OPTIONS))
    folder = reward.save(tmp_path / "reward")
    env, live = recorded_env("spot_env:Spot-v0", folder, device="cpu"), envs.make("spot_env:Spot-v0")
    np.testing.assert_array_equal(play(env, [2, 1], 0), play(live, [2, 1], 0))


def test_a_moved_folder_must_hold_the_same_encoder(envs, tmp_path) -> None:
    record = EncoderRecord(envs.encoder.fingerprint(), OPTIONS)
    same = envs.encoder.save(tmp_path / "same")
    plain = {"encoder": "gone", "stack": 2}
    loaded = EncodedEnvs.recorded(
        EncoderRecord(load_encoder(same, device="cpu").fingerprint(), plain), str(same)
    )
    assert loaded.stack == 2
    with pytest.raises(ValueError, match="must receive features of the encoder that it was trained with"):
        EncodedEnvs.recorded(record, "impala-cnn", "cpu")


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="`options` must contain encoder and only"):
        EncodedEnvs.load({"encoder": "nature-cnn", "speed": 3})
    with pytest.raises(ValueError, match=r"`stack` must be at least 1\. Received 0"):
        EncodedEnvs(load_encoder("nature-cnn", weights="none", device="cpu"), stack=0)


def test_the_spot_is_what_the_image_shows() -> None:
    env = Spot()
    frame = env.reset(seed=0)[0]
    assert frame[:, env.place * 4].max() == 240


def test_an_environment_without_images_and_renderer_is_refused(envs) -> None:
    message = r"needs an environment with images.* Received puck_env:Puck-v0 .* render modes \[\]; leave out"
    with pytest.raises(ValueError, match=message):
        envs.make("puck_env:Puck-v0")
