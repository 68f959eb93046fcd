"""Films of a policy: real rollouts of a rendered environment, which do not touch the training."""

import logging
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rlpriors.agents import AlgorithmSettings, make_algorithm
from rlpriors.training.online import OnlineSettings, train_online
from rlpriors.training.tracking.csv_files import CsvWriter
from rlpriors.training.tracking.episode_film import EpisodeFilm, open_film


class Walk(gym.Env[np.ndarray, np.ndarray]):
    """A dot on a line; the picture's column is the number of its step."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012 (Gymnasium's own form)

    def __init__(self, n_steps: int = 6, render_mode: str | None = None, broken: bool = False) -> None:
        self.render_mode, self.n_steps, self.broken = render_mode, n_steps, broken
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
        self.action_space = gym.spaces.Box(-1, 1, (1,), np.float32)
        self.step_number = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.step_number = 0
        return self.np_random.normal(size=2).astype(np.float32), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.step_number += 1
        obs = np.full(2, self.step_number, np.float32)
        return obs, float(action[0]), False, self.step_number == self.n_steps, {}

    def render(self) -> np.ndarray:
        if self.broken:
            raise RuntimeError("no screen")
        picture = np.full((4, 240, 3), 255, np.uint8)
        picture[:, self.step_number] = 0
        return picture


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[CsvWriter]:
    with closing(CsvWriter(tmp_path)) as writer:
        yield writer


def make_agent() -> Any:
    env = Walk()
    settings = AlgorithmSettings("sac", hidden=(8,))
    return make_algorithm(env.observation_space, env.action_space, settings, device="cpu", seed=0)


def pictures(gif: bytes) -> list[int]:
    """Column of the dot in each picture."""
    image = Image.open(BytesIO(gif))
    columns = []
    for number in range(image.n_frames):
        image.seek(number)
        columns.append(int(np.asarray(image.convert("L"))[120].argmin()))
    return columns


def test_a_film_is_an_episode_from_its_start(tmp_path, writer) -> None:
    film = EpisodeFilm(Walk(render_mode="rgb_array"), length=100)
    film.add(make_agent().policy, 0, writer)
    film.close()
    assert pictures((tmp_path / "episodes-policy-0.gif").read_bytes()) == [0, 1, 2, 3, 4, 5]


def test_a_long_episode_has_few_pictures_at_equal_distances(tmp_path, writer) -> None:
    film = EpisodeFilm(Walk(n_steps=100, render_mode="rgb_array"), length=100, n_frames=10)
    film.add(make_agent().policy, 0, writer)
    columns = pictures((tmp_path / "episodes-policy-0.gif").read_bytes())
    assert len(columns) <= 10
    assert columns[0] == 0
    assert columns[-1] >= 80
    assert len(set(np.diff(columns))) == 1


def test_films_are_spread_over_the_training(tmp_path, writer) -> None:
    film = EpisodeFilm(Walk(render_mode="rgb_array"), length=90, n_films=4)
    policy = make_agent().policy
    for step in range(0, 91, 10):
        film.add(policy, step, writer)
    steps = sorted(int(path.stem.rpartition("-")[2]) for path in tmp_path.glob("*.gif"))
    assert steps == [0, 30, 60, 90]


def test_a_training_with_films_equals_one_without(tmp_path) -> None:
    weights = []
    for filmed in (False, True):
        agent = make_agent()
        film = EpisodeFilm(Walk(render_mode="rgb_array"), length=48) if filmed else None
        settings = OnlineSettings(
            env_steps=48,
            n_envs=2,
            random_steps=16,
            collect_steps=2,
            batch_size=8,
            checkpoint_every=8,
            update_per_step=0.5,
        )
        folder = tmp_path / str(filmed)
        train_online(agent, Walk, folder=folder, settings=settings, progress=False, film=film)
        weights.append(torch.cat([p.detach().flatten() for p in agent.policy.parameters()]))
    assert torch.equal(*weights)
    events = EventAccumulator(str(tmp_path / "True" / "tensorboard" / "policy")).Reload()
    films = events.Images("episodes/policy")
    assert [film.step for film in films] == [16, 32, 48]  # the first update follows 16 random steps
    assert pictures(films[-1].encoded_image_string) == [0, 1, 2, 3, 4, 5]


def test_an_environment_that_fails_to_render_warns_once(tmp_path, writer, caplog) -> None:
    film = EpisodeFilm(Walk(render_mode="rgb_array", broken=True), length=2, n_films=3)
    with caplog.at_level(logging.WARNING):
        for step in range(3):
            film.add(make_agent().policy, step, writer)
    assert [record.message for record in caplog.records] == [
        "Episodes are not filmed: RuntimeError: no screen (--films 0 switches films off)"
    ]
    assert not list(tmp_path.glob("*.gif"))


def test_slow_rendering_ends_the_films(tmp_path, writer, caplog) -> None:
    film = EpisodeFilm(Walk(render_mode="rgb_array"), length=2, n_films=3, seconds=0.0)
    for step in range(3):
        film.add(make_agent().policy, step, writer)
    assert "took longer than 0 seconds" in caplog.text
    assert len(list(tmp_path.glob("*.gif"))) == 1


def test_no_films_without_pictures() -> None:
    def refuse() -> gym.Env[Any, Any]:
        raise ValueError("it takes no render mode")

    class Blind(Walk):
        metadata = {"render_modes": []}  # noqa: RUF012

    assert open_film(Blind, n_films=4, length=10) is None
    assert open_film(refuse, n_films=4, length=10) is None
    assert open_film(Walk, n_films=0, length=10) is None
    film = open_film(Walk, n_films=2, length=10)
    assert film is not None
    film.close()


def test_bounds() -> None:
    with pytest.raises(ValueError, match=r"`n_films` must be at least 1. Received 0"):
        EpisodeFilm(Walk(), length=10, n_films=0)
