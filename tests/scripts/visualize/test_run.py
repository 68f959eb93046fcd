"""`rlpriors visualize`, run whole: pictures that are there and show what they should."""

import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rlpriors.encoders import load_encoder
from rlpriors.scripts.encoder_args import EncoderArgs
from rlpriors.scripts.main import main
from rlpriors.scripts.visualize.run import heat_maps, sample_frames, visualize
from rlpriors.scripts.visualize.settings import VisualizeSettings

VIT = EncoderArgs("timm:test_vit", weights="none", input_size=(64, 64))


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


def images(run: Path) -> dict[str, int]:
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"images": 0}).Reload()
    return {tag: len(events.Images(tag)) for tag in events.Tags()["images"]}


def test_frames_are_so_many_steps_apart_across_episodes():
    frames = sample_frames("Blinks-v0", n_frames=4, frame_interval=2, image_size=(8, 8), seed=0)
    assert frames.shape == (4, 40, 48, 3)
    assert frames[:, 0, 0, 0].tolist() == [20, 40, 10, 30]  # the fifth step ends the episode


def test_environments_without_images_are_rendered():
    frames = sample_frames("BlinksState-v0", n_frames=2, frame_interval=1, image_size=(24, 32), seed=0)
    assert frames.shape == (2, 24, 32, 3)
    assert frames[:, 0, 0, 0].tolist() == [10, 20]


@pytest.mark.parametrize("env", ["Blinks-v0", "BlinksGray-v0"])
def test_pictures_are_written(env, tmp_path):
    settings = VisualizeSettings(env, VIT, n_frames=2, device="cpu")
    run = visualize(settings)
    assert run == Path(f"runs/visualize-{env.lower()}-timm-test_vit")
    with Image.open(run / "maps.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > picture.height > 200
    assert images(run) == dict.fromkeys(("frame", "attention", "rollout", "energy", "saliency"), 1)
    assert visualize(settings).name.endswith("-2")  # nothing is written over


def test_a_network_without_attention_shows_what_it_can():
    encoder = load_encoder("nature-cnn", weights="none", device="cpu")
    frames = np.random.default_rng(0).integers(256, size=(2, 40, 48, 3), dtype=np.uint8)
    maps = heat_maps(encoder, frames)
    assert list(maps) == ["energy", "saliency"]
    assert all(heat.shape == (2, 40, 48) for heat in maps.values())
    with pytest.raises(ValueError, match="`method` 'rollout' needs attention"):
        heat_maps(encoder, frames, ("rollout",))


def test_the_command_on_atari(monkeypatch, capsys):
    pytest.importorskip("ale_py")
    options = ["--env", "ALE/Pong-v5", "--encoder", "timm:test_vit", "--weights", "none", "--n-frames", "2"]
    options += ["--frame-interval", "5", "--device", "cpu", "--methods", "attention", "--folder", "pictures"]
    monkeypatch.setattr(sys, "argv", ["rlpriors", "visualize", *options])
    main()
    assert "pictures/maps.png" in capsys.readouterr().out
    assert images(Path("pictures")) == {"frame": 1, "attention": 1}


@pytest.mark.parametrize(
    ("changes", "output"),
    [
        ({"--env": "NoSuch-v0"}, "`--env` must be the id of an installed environment. Received 'NoSuch-v0'"),
        ({"--env": "no.such.module:Any-v0"}, "`--env` must be the id of an installed environment"),
        ({"--n-frames": "0"}, "`n_frames` must be at least 1. Received 0"),
        ({"--encoder": "dinov2-smal"}, "dinov2-small"),
    ],
)
def test_mistakes_end_with_one_line_and_no_run(monkeypatch, tmp_path, capsys, changes, output):
    options = {"--env": "Blinks-v0", "--encoder": "nature-cnn", "--weights": "none", "--device": "cpu"}
    options |= changes
    words = [word for option in options.items() for word in option]
    monkeypatch.setattr(sys, "argv", ["rlpriors", "visualize", *words])
    with pytest.raises(SystemExit) as raised:
        main()
    said = str(raised.value) + " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert output in said
    assert not (tmp_path / "runs").exists()
