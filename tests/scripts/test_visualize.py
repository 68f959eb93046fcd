"""`rlpriors look`, run whole: pictures that are there and show what they should."""

import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rlpriors.encoders import load_encoder
from rlpriors.scripts.main import main
from rlpriors.scripts.visualize import VisualizeSettings, collect, heat_maps, look, make_env

VIT = {"encoder": "timm:test_vit", "weights": "none", "input_size": (64, 64), "device": "cpu"}


class Blinks(gym.Env):
    """Shows how many steps were taken, as brightness; an episode has five."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 30}  # noqa: RUF012 (gymnasium's own way)
    action_space = gym.spaces.Discrete(2)

    def __init__(self, channels: int = 3, render_mode: str | None = None) -> None:
        self.channels, self.render_mode = channels, render_mode
        shape = (40, 48, channels)
        self.observation_space = (
            gym.spaces.Box(0, 255, shape, np.uint8) if channels else gym.spaces.Box(-1, 1, (2,))
        )

    def _obs(self):
        return (
            np.full((40, 48, self.channels), 10 * self.time, np.uint8) if self.channels else np.zeros(2, "f")
        )

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time = 0
        return self._obs(), {}

    def step(self, action):
        self.time += 1
        return self._obs(), 0.0, self.time == 5, False, {}

    def render(self):
        return np.full((64, 64, 3), 10 * self.time, np.uint8)


@pytest.fixture(autouse=True)
def blinks(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name, channels in (("Blinks-v0", 3), ("BlinksGray-v0", 1), ("BlinksState-v0", 0)):
        gym.register(name, Blinks, kwargs={"channels": channels})
    yield
    for name in ("Blinks-v0", "BlinksGray-v0", "BlinksState-v0"):
        del gym.registry[name]


class Cameras(gym.Env):
    """Shows a dictionary; it cannot draw, and has no `render_mode`."""

    action_space = gym.spaces.Discrete(2)

    def __init__(self, shapes: dict[str, tuple[int, ...]]) -> None:
        images = {name: gym.spaces.Box(0, 255, shape, np.uint8) for name, shape in shapes.items()}
        speed = gym.spaces.Box(0, 255, (2,), np.float32)
        self.observation_space = gym.spaces.Dict({"speed": speed, "eyes": gym.spaces.Dict(images)})

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.observation_space.seed(3)
        self.shown = self.observation_space.sample()
        return self.shown, {}

    def step(self, action):
        return self.shown, 0.0, False, False, {}


@pytest.fixture
def cameras():
    def register(*shapes: tuple[int, ...]) -> None:
        eyes = dict(zip(("left", "right"), shapes, strict=False))
        gym.register("Cameras-v0", Cameras, kwargs={"shapes": eyes})

    yield register
    del gym.registry["Cameras-v0"]


@pytest.mark.parametrize(
    ("shape", "frame"),
    [
        ((20, 24, 3), lambda image: image),
        ((3, 20, 24), lambda image: image.transpose(1, 2, 0)),
        ((20, 24), lambda image: image[..., None]),
        ((4, 20, 24), lambda image: image[3, ..., None]),  # the last of a stack
    ],
)
def test_the_one_image_of_a_dictionary_is_taken(cameras, shape, frame):
    cameras(shape)
    env = make_env("Cameras-v0", (8, 8))
    obs, _ = env.reset(seed=0)
    assert np.array_equal(obs, frame(env.unwrapped.shown["eyes"]["left"]))
    assert env.observation_space.contains(obs)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (
            [(20, 24, 3), (20, 24)],
            "`env` must have one image .* Received 'Cameras-v0', which has eyes/left, e",
        ),
        (
            [(128,)],
            '`env` must have an image in its observation, or be made with render_mode="rgb_array".*takes no',
        ),
        ([(20, 24, 4)], r"`env` must show images of 1 or 3 channels.* Received 'Cameras-v0'.*20, 24, 4"),
    ],
)
def test_environments_that_cannot_be_seen(cameras, shapes, message):
    cameras(*shapes)
    with pytest.raises(ValueError, match=message):
        make_env("Cameras-v0", (8, 8))


def images(run: Path) -> dict[str, int]:
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"images": 0}).Reload()
    return {tag: len(events.Images(tag)) for tag in events.Tags()["images"]}


def test_frames_are_so_many_steps_apart_across_episodes():
    frames = collect(VisualizeSettings(env="Blinks-v0", encoder="", frames=4, every=2))
    assert frames.shape == (4, 40, 48, 3)
    assert frames[:, 0, 0, 0].tolist() == [20, 40, 10, 30]  # the fifth step ends the episode


def test_environments_without_images_are_rendered():
    frames = collect(VisualizeSettings(env="BlinksState-v0", encoder="", frames=2, every=1, size=(24, 32)))
    assert frames.shape == (2, 24, 32, 3)
    assert frames[:, 0, 0, 0].tolist() == [10, 20]


@pytest.mark.parametrize("env", ["Blinks-v0", "BlinksGray-v0"])
def test_pictures_are_written(env, tmp_path):
    run = look(VisualizeSettings(env=env, frames=2, **VIT))
    assert run == Path(f"runs/look-{env.lower()}-timm-test_vit")
    with Image.open(run / "look.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > picture.height > 200
    assert images(run) == dict.fromkeys(("frame", "attention", "rollout", "energy", "saliency"), 1)
    assert look(VisualizeSettings(env=env, frames=2, **VIT)).name.endswith("-2")  # nothing is written over


def test_a_network_without_attention_shows_what_it_can():
    encoder = load_encoder("nature-cnn", weights="none", device="cpu")
    frames = np.random.default_rng(0).integers(256, size=(2, 40, 48, 3), dtype=np.uint8)
    maps = heat_maps(encoder, frames)
    assert list(maps) == ["energy", "saliency"]
    assert all(heat.shape == (2, 40, 48) for heat in maps.values())
    with pytest.raises(ValueError, match="`method` 'rollout' needs a network that attends"):
        heat_maps(encoder, frames, ("rollout",))


def test_the_command_on_atari(monkeypatch, capsys):
    pytest.importorskip("ale_py")
    options = ["--env", "ALE/Pong-v5", "--encoder", "timm:test_vit", "--weights", "none", "--frames", "2"]
    options += ["--every", "5", "--device", "cpu", "--methods", "attention", "--folder", "pictures"]
    monkeypatch.setattr(sys, "argv", ["rlpriors", "look", *options])
    main()
    assert "pictures/look.png" in capsys.readouterr().out
    assert images(Path("pictures")) == {"frame": 1, "attention": 1}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"--env": "NoSuch-v0"}, "`env` must be a Gymnasium id, or <module>:<id>. Received 'NoSuch-v0'"),
        ({"--env": "no.such.module:Any-v0"}, "`env` must be a Gymnasium id"),
        ({"--frames": "0"}, "`frames` must be at least 1. Received 0"),
        ({"--encoder": "dinov2-smal"}, "dinov2-small"),
    ],
)
def test_mistakes_end_with_one_line_and_no_run(monkeypatch, tmp_path, capsys, changes, told):
    options = {"--env": "Blinks-v0", "--encoder": "nature-cnn", "--weights": "none", "--device": "cpu"}
    options |= changes
    words = [word for option in options.items() for word in option]
    monkeypatch.setattr(sys, "argv", ["rlpriors", "look", *words])
    with pytest.raises(SystemExit) as raised:
        main()
    said = str(raised.value) + " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert told in said
    assert not (tmp_path / "runs").exists()
