"""Cloning from images: stacks by hand, augmentation, learning alone and jointly, bad input."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Batch, ReplayBuffer
from tianshou.trainer import OfflineTrainerParams
from torch import nn

from rlpriors.agents import AuxiliaryTask, EncoderNetwork, PixelBuffer, PixelCloning, PixelCloningPolicy
from rlpriors.checkpoint import CheckpointError
from rlpriors.data.frame_writer import FrameWriter
from rlpriors.data.normalize import Normalizer
from rlpriors.encoders import load_encoder
from rlpriors.representation import RECIPES
from rlpriors.representation.clips import FrameClips
from rlpriors.representation.model import RepresentationModel

SIZE = 36
TWO = gym.spaces.Discrete(2)


def lamps(folder, n=4, steps=6, steered=False):
    """Frames that are dark or bright; who acts 1 where it is bright does right."""
    rng = np.random.default_rng(0)
    with FrameWriter(folder / "lamps") as writer:
        for _ in range(n):
            lit = rng.integers(2, size=steps + 1)
            frames = np.repeat(lit * 200 + 20, SIZE * SIZE * 3).reshape(-1, SIZE, SIZE, 3).astype(np.uint8)
            act = (2.0 * lit[:, None] - 1).astype(np.float32) if steered else lit
            writer.add_episode(frames, act=act)
    return writer.store


def make_policy(space=TWO, *, stack=1, mode="full", **arguments):
    encoder = load_encoder("nature-cnn", weights="none", input_size=(SIZE, SIZE), device="cpu")
    act = Normalizer.identity(1) if isinstance(space, gym.spaces.Box) else None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = EncoderNetwork(encoder, mode, stack=stack)
        return PixelCloningPolicy(network, action_space=space, act=act, hidden=(16,), **arguments)


def train(algorithm, buffer, updates):
    algorithm.run_training(
        OfflineTrainerParams(
            buffer=buffer,
            batch_size=8,
            max_epochs=1,
            epoch_num_steps=updates,
            show_progress=False,
            verbose=False,
        )
    )


def cloning(policy, **arguments):
    return PixelCloning(policy=policy, optim=AdamOptimizerFactory(lr=1e-3), **arguments)


# ---------------------------------------------------------------- what is drawn


def test_stacks_are_of_one_episode_oldest_first(tmp_path):
    with FrameWriter(tmp_path / "walk") as writer:
        for first in (0, 10):
            frames = np.arange(first, first + 4, dtype=np.uint8)[:, None, None, None]
            writer.add_episode(frames, act=np.arange(first, first + 4))
    buffer = PixelBuffer(writer.store, 2)
    batch, rows = buffer.sample(None)
    assert batch.obs[..., 0, 0, 0].tolist() == [[0, 0], [0, 1], [1, 2], [10, 10], [10, 11], [11, 12]]
    assert batch.act.tolist() == [0, 1, 2, 10, 11, 12]
    assert rows.tolist() == [0, 1, 2, 4, 5, 6]
    assert PixelBuffer(writer.store).sample(None)[0].obs.shape == (6, 1, 1, 1)
    assert len(buffer) == 6


def test_what_is_drawn_depends_on_seed_and_number_alone(tmp_path):
    store = lamps(tmp_path)
    one, two, other = PixelBuffer(store, seed=1), PixelBuffer(store, seed=1), PixelBuffer(store, seed=2)
    first, second = one.sample(9)[1], one.sample(9)[1]
    two.draws = 1
    assert np.array_equal(two.sample(9)[1], second)
    assert not np.array_equal(other.sample(9)[1], first)


def test_a_policy_is_given_what_frame_stack_observation_shows(tmp_path):
    class Count(gym.Env):
        observation_space, action_space = gym.spaces.Box(0, 255, (1, 1, 1), np.uint8), TWO

        def reset(self, *, seed=None, options=None):
            self.n = 0
            return np.zeros((1, 1, 1), np.uint8), {}

        def step(self, action):
            self.n += 1
            return np.full((1, 1, 1), self.n, np.uint8), 0.0, False, False, {}

    env = gym.wrappers.FrameStackObservation(Count(), 3, padding_type="reset")
    seen = [env.reset()[0]] + [env.step(0)[0] for _ in range(3)]
    with FrameWriter(tmp_path / "count") as writer:
        writer.add_episode(np.arange(5, dtype=np.uint8)[:, None, None, None], act=np.zeros(5, int))
    assert np.array_equal(PixelBuffer(writer.store, 3).sample(None)[0].obs, np.array(seen))


# ---------------------------------------------------------------- augmentation


def test_frames_of_a_stack_are_changed_alike_and_images_differently():
    algorithm = cloning(make_policy(stack=2), augment="color-jitter-ex")
    frames = np.random.default_rng(0).integers(0, 256, (1, 1, SIZE, SIZE, 3), np.uint8)
    torch.manual_seed(0)
    changed = algorithm.augment_images(np.tile(frames, (4, 2, 1, 1, 1)))
    assert changed.shape == (4, 2, SIZE, SIZE, 3)
    assert 0 <= changed.min() < changed.max() <= 1
    assert torch.equal(changed[:, 0], changed[:, 1])
    assert not torch.equal(changed[0], changed[1])


def test_without_augmentation_bytes_stay_bytes():
    frames = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3), np.uint8)
    assert torch.equal(cloning(make_policy()).augment_images(frames), torch.from_numpy(frames))


def test_augmented_bytes_are_on_the_scale_of_others():
    """A change that changes nothing: vectors as of the bytes."""
    policy = make_policy(stack=2)
    algorithm = cloning(policy, augment="shift")
    frames = np.full((3, 2, SIZE, SIZE, 3), 90, np.uint8)  # shifted as one likes
    torch.testing.assert_close(policy.network(algorithm.augment_images(frames))[0], policy.network(frames)[0])


# ---------------------------------------------------------------- learning


@pytest.mark.parametrize("space", [TWO, gym.spaces.Box(-1, 1, (1,))])
def test_it_does_as_the_demonstrations_did_and_is_saved(tmp_path, space):
    steered = isinstance(space, gym.spaces.Box)
    store = lamps(tmp_path, steered=steered)
    policy = make_policy(space, stack=2)
    train(cloning(policy, augment="noise"), PixelBuffer(store, 2), 40)
    batch = PixelBuffer(store, 2).sample(None)[0]
    observed = Batch(obs=batch.obs, info=Batch())
    assert np.abs(policy(observed).act - batch.act).max() < 0.3
    loaded = PixelCloningPolicy.load(policy.save(tmp_path / "policy"), space, device="cpu")
    np.testing.assert_allclose(loaded(observed).act, policy(observed).act, atol=1e-5)
    with pytest.raises(CheckpointError, match="does not fit"):
        PixelCloningPolicy.load(tmp_path / "policy", gym.spaces.Discrete(5), device="cpu")


def test_a_plain_buffer_of_images_will_do(tmp_path):
    batch = PixelBuffer(lamps(tmp_path)).sample(None)[0]
    buffer = ReplayBuffer(len(batch.act))
    for obs, act in zip(batch.obs, batch.act, strict=True):
        buffer.add(
            Batch(obs=obs, act=act, rew=0.0, terminated=False, truncated=False, obs_next=obs, info=Batch())
        )
    policy = make_policy()
    train(cloning(policy), buffer, 40)
    assert np.array_equal(policy(Batch(obs=batch.obs, info=Batch())).act, batch.act)


def test_a_frozen_encoder_stays(tmp_path):
    policy = make_policy(mode="frozen")
    before = policy.network.encoder.fingerprint()
    train(cloning(policy), PixelBuffer(lamps(tmp_path)), 3)
    assert policy.network.encoder.fingerprint() == before


class Pull(nn.Module):
    """Draws one weight of the encoder to a number, and counts."""

    def __init__(self, policy):
        super().__init__()
        self.bias = policy.network.encoder.backbone.network.linear.bias
        self.own = nn.Parameter(torch.zeros(()))
        self.progress = []

    def forward(self, number):
        return {"pull": (self.bias - 3).square().mean(), "loss": (self.bias - 3).square().mean() + self.own}

    def after_step(self, progress):
        self.progress.append(progress)


def test_another_loss_is_learned_by_the_same_optimizer(tmp_path):
    policy = make_policy()
    pull, drawn = Pull(policy), []

    def draw(update):
        drawn.append(update)
        return update

    algorithm = cloning(policy, auxiliary=AuxiliaryTask(pull, draw, weight=100.0, n_updates=4))
    parameters = [p for group in algorithm.optim._optim.param_groups for p in group["params"]]
    assert len({id(p) for p in parameters}) == len(parameters)
    train(algorithm, PixelBuffer(lamps(tmp_path)), 4)
    assert drawn == [0, 1, 2, 3]
    assert pull.progress == [0.25, 0.5, 0.75, 1.0]
    assert policy.network.encoder.backbone.network.linear.bias.mean() > 0.002  # four steps of Adam
    assert pull.own < 0


@pytest.mark.parametrize("method", ["simclr", "byol"])
def test_a_recipe_is_learned_jointly(tmp_path, method):
    store, policy = lamps(tmp_path), make_policy()
    recipe = RECIPES[method]()
    clips = FrameClips(store, recipe.horizon, recipe.stride, device="cpu")
    model = RepresentationModel(policy.network.encoder, recipe, actions=clips.actions, updates=3)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    algorithm = cloning(
        policy, auxiliary=AuxiliaryTask(model, lambda n: clips.draw(8, 0, n), weight=0.5, n_updates=3)
    )
    train(algorithm, PixelBuffer(store), 3)
    after = model.state_dict()
    moved = [name for name, tensor in before.items() if not torch.equal(tensor, after[name])]
    assert any("projector" in name for name in moved)
    assert policy.network.encoder is model.encoder


# ---------------------------------------------------------------- bad input


def walk(folder, *episodes):
    """Episodes of these actions, over black frames; of the last frame no step is taken."""
    with FrameWriter(folder / "walk") as writer:
        for act in episodes:
            writer.add_episode(np.zeros((len(act), SIZE, SIZE, 3), np.uint8), act=np.array(act))
    return PixelBuffer(writer.store)


def test_actions_of_another_space_are_refused(tmp_path):
    steered = PixelBuffer(lamps(tmp_path, steered=True))
    with pytest.raises(ValueError, match=r"`act` .* of Discrete\(2\), .*Received shape \(1,\);"):
        train(cloning(make_policy()), steered, 1)
    with pytest.raises(ValueError, match=r"`act` .* of Box.*Received shape \(1,\)"):
        steered.check_actions(gym.spaces.Box(-1, 1, (2,)))
    with pytest.raises(ValueError, match=r"`action_space` must be a Box with one .*Received MultiBinary"):
        steered.check_actions(gym.spaces.MultiBinary(1))


def test_numbers_of_no_action_are_refused(tmp_path):
    buffer = walk(tmp_path, [0, 1, 9], [1, 2, 1, 9])  # the last row of an episode says nothing
    with pytest.raises(ValueError, match=r"Discrete\(2\), 0\.\.1\. Received 2 at step 1 of episode 1; rec"):
        train(cloning(make_policy()), buffer, 1)
    buffer.check_actions(gym.spaces.Discrete(3))
    with pytest.raises(ValueError, match=r"Received 0 at step 0 of episode 0"):
        buffer.check_actions(gym.spaces.Discrete(3, start=1))


def test_actions_outside_of_a_box_are_refused_but_for_rounding(tmp_path):
    act = np.array([[0.5, -3.0003], [-1.0001, 0.0], [7.0, 7.0]], np.float32)
    buffer = walk(tmp_path, act[[1, 2]], act)
    buffer.check_actions(gym.spaces.Box(np.float32([-1, -3]), np.float32([1, 3])))  # within 2e-4, 6e-4
    buffer.check_actions(gym.spaces.Box(-np.inf, np.inf, (2,)))
    narrow = gym.spaces.Box(np.float32([-2, -2]), np.float32([1, 2]))
    with pytest.raises(ValueError, match=r"Received \[ 0\.5 +-3\.0003\] at step 0 of episode 1; record"):
        buffer.check_actions(narrow)
    with pytest.raises(ValueError, match=r"Received \[ 0\.5 +-3\.0003\] at step 0 of episode 1"):
        buffer.check_actions(gym.spaces.Box(np.float32([-np.inf, -2]), np.float32([0.6, np.inf])))
    with pytest.raises(ValueError, match=r"\(1,\), float32\)\. Received \[1\.\] at step 0 of episode 0"):
        train(cloning(make_policy(gym.spaces.Box(-0.5, 0.5, (1,)))), walk(tmp_path / "b", [[1.0], [0.0]]), 1)


def test_a_buffer_of_another_stack_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"`stack` of the buffer must be .* 2\. Received 1"):
        train(cloning(make_policy(stack=2)), PixelBuffer(lamps(tmp_path)), 1)


def test_bad_arguments_are_refused(tmp_path):
    store = lamps(tmp_path)
    with pytest.raises(ValueError, match=r"`stack` must be at least 1\. Received 0"):
        PixelBuffer(store, 0)
    with pytest.raises(ValueError, match=r"Received 'shfit'"):
        cloning(make_policy(), augment="shfit")
    with pytest.raises(ValueError, match=r"`weight` must be at least 0\. Received -1"):
        AuxiliaryTask(nn.Identity(), int, weight=-1.0)
    with pytest.raises(ValueError, match=r"`n_updates` must be at least 1\. Received 0"):
        AuxiliaryTask(nn.Identity(), int, n_updates=0)


def test_demonstrations_without_actions_or_steps_are_refused(tmp_path):
    frame = np.zeros((1, SIZE, SIZE, 3), np.uint8)
    with FrameWriter(tmp_path / "still") as writer:
        writer.add_episode(frame)
    with pytest.raises(ValueError, match=r"must contain the array `act`.* with none"):
        PixelBuffer(writer.store)
    with FrameWriter(tmp_path / "short") as writer:
        writer.add_episode(frame, act=np.zeros(1, int))
    with pytest.raises(ValueError, match="at least one step"):
        PixelBuffer(writer.store)
