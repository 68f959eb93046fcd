"""Frames of Atari games with the console's memory beside them, for probing and pretraining.

`AtariSettings`  how is played, and what is kept of it
`collect`        plays, into a `FrameStore`; several processes, and a killed run goes on
`AtariGame`      one game, step by step

As in AtariARI (arXiv 1906.08226): each action is held for four frames, what is seen is the brighter of
the last two, an episode ends with a life, games begin with up to 30 frames of waiting and with FIRE
where there is such a button.  Unlike there, every frame comes with its *own* memory (there the first
frame of an episode has the memory in which the one before had ended), and waiting is an action like
others.

The arrays of the store are `ram` [128], `act` (an index into the game's own actions), `rew` (not
clipped), `terminated` and `truncated`.
"""

import json
import multiprocessing
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import UInt8
from tqdm import tqdm

from rlpriors.data.frames import FrameStore, FrameWriter
from rlpriors.envs.atari.ram_annotations import game_name

__all__ = ["AtariGame", "AtariSettings", "collect"]

Policy = Literal["random", "sticky"]
LONGEST = 108_000  # emulated frames, half an hour: the usual end of an episode that has no other
SETTINGS = "atari.json"


@dataclass(frozen=True)
class AtariSettings:
    """How is played, and what is kept of it; by default AtariARI's way.

    Raises:
        ValueError: a field is out of its bounds.
    """

    policy: Policy = "random"
    """"random" draws each action anew; "sticky" keeps the last one with probability `stickiness`, and so
    gets further."""
    stickiness: float = 0.9
    """Chance that "sticky" repeats its action, in [0, 1)."""
    gray: bool = True
    """One channel of brightness instead of three colors."""
    size: tuple[int, int] | None = None
    """Height and width of the frames that are kept; None for the console's own 210 x 160."""
    frame_skip: int = 4
    """Emulated frames that an action is held, at least 1."""
    repeat_action_probability: float = 0.0
    """Chance that the emulator itself repeats an action, in [0, 1); 0.25 is the rule for agents."""
    episodic_life: bool = True
    """Whether an episode ends with a life."""
    fire_reset: bool = True
    """Whether FIRE is pressed at the beginning of an episode, where there is one."""
    max_waiting: int = 30
    """A game begins with 1 to so many frames of waiting; 0 for none."""
    environments: int = 8
    """Games that are played side by side, each with its share of the steps."""

    def __post_init__(self) -> None:
        if self.policy not in get_args(Policy):
            raise ValueError(f"`policy` must be one of {list(get_args(Policy))}. Received {self.policy!r}.")
        for name in ("stickiness", "repeat_action_probability"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be in [0, 1). Received {getattr(self, name)}.")
        for name, least in (("frame_skip", 1), ("environments", 1), ("max_waiting", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"`{name}` must be at least {least}. Received {getattr(self, name)}.")
        if self.size is not None and (len(self.size) != 2 or min(self.size) < 1):
            raise ValueError(f"`size` must be (height, width), at least 1. Received {self.size}.")


def collect(
    game: str,
    steps: int,
    seed: int,
    folder: str | Path,
    settings: AtariSettings | None = None,
    *,
    processes: int = 1,
    progress: bool = True,
) -> FrameStore:
    """Play `game` for `steps` steps into a new store at `folder`, or open the one that is there already.

    What comes out depends on `game`, `steps`, `seed` and `settings`, not on `processes`.  The games
    that are played side by side are written one after the other; a run that was stopped keeps those
    that were finished, beside `folder`, and goes on with the others.

    Raises:
        ValueError: there is no such game, or `folder` holds something else.
    """
    settings = AtariSettings() if settings is None else settings
    rom = game_name(game, _roms())
    if steps < settings.environments or processes < 1:
        raise ValueError(
            f"`steps` must be at least one for each of the {settings.environments} environments, and "
            f"`processes` at least 1. Received {steps} and {processes}."
        )
    folder = Path(folder)
    plan = json.loads(json.dumps({"game": rom, "steps": steps, "seed": seed, **asdict(settings)}))
    if folder.exists():
        _check(folder, plan)
        return FrameStore.open(folder)
    parts = folder.with_name(f".{folder.name}.parts")
    if parts.exists():
        _check(parts, plan)
        for rest in [*parts.glob(".*.tmp"), parts / "whole"]:  # of a run that was stopped while it wrote
            shutil.rmtree(rest, ignore_errors=True)
    parts.mkdir(parents=True, exist_ok=True)
    (parts / SETTINGS).write_text(json.dumps(plan, indent=2) + "\n")

    shares = [len(share) for share in np.array_split(np.arange(steps), settings.environments)]
    todo = [
        (rom, share, seed, number, parts / str(number), settings)
        for number, share in enumerate(shares)
        if not (parts / str(number)).exists()
    ]
    done = steps - sum(job[1] for job in todo)
    with tqdm(total=steps, initial=done, desc=game, unit="step", disable=not progress) as bar:
        if processes == 1:
            for job in todo:
                _play(*job, tick=bar.update)
        else:
            _play_side_by_side(todo, processes, bar)
    with FrameWriter(parts / "whole") as writer:
        for number in range(settings.environments):
            part = FrameStore.open(parts / str(number))
            for episode in range(part.n_episodes):
                rows = {name: part.episode(episode, name) for name in part.arrays}
                writer.add_episode(part.episode(episode), **rows)
    (parts / SETTINGS).rename(parts / "whole" / SETTINGS)
    (parts / "whole").rename(folder)
    shutil.rmtree(parts)
    return FrameStore.open(folder)


class AtariGame:
    """One game on the emulator: `begin` an episode, `step`, look at `frame()` and `ram()`.

    Example:
        >>> game = AtariGame("pong", seed=0)
        >>> game.begin()
        >>> reward, terminated, truncated = game.step(0)
        >>> game.frame().shape, game.ram().shape, game.actions
        ((210, 160, 1), (128,), ('NOOP', 'FIRE', 'RIGHT', 'LEFT', 'RIGHTFIRE', 'LEFTFIRE'))
    """

    actions: tuple[str, ...]
    """What an action's index means."""

    def __init__(self, game: str, seed: int, settings: AtariSettings | None = None) -> None:
        from ale_py import ALEInterface, LoggerMode, roms

        self.settings = AtariSettings() if settings is None else settings
        ALEInterface.setLoggerMode(LoggerMode.Error)
        self._ale = ale = ALEInterface()
        ale.setInt("random_seed", seed % 2**31)
        ale.setFloat("repeat_action_probability", self.settings.repeat_action_probability)
        ale.setInt("max_num_frames_per_episode", LONGEST)
        path = roms.get_rom_path(game_name(game, _roms()))
        assert path is not None
        ale.loadROM(path)
        self._codes = list(ale.getMinimalActionSet())
        self.actions = tuple(code.name for code in self._codes)
        self._rng = np.random.default_rng(seed)
        self._over = True
        shape = (*ale.getScreenDims(), 1 if self.settings.gray else 3)
        self._screens = np.zeros((2, *shape), np.uint8)

    def begin(self) -> None:
        """Begin an episode: a new game, or the next life of this one."""
        if self._over or not self.settings.episodic_life:
            self._ale.reset_game()
            waiting = self.settings.max_waiting and int(self._rng.integers(1, self.settings.max_waiting + 1))
            for _ in range(waiting):
                self._ale.act(self._codes[0])
                if self._ale.game_over():
                    self._ale.reset_game()
            self._look(0)
            self._screens[1] = self._screens[0]
        else:
            self._hold(0)  # the life is lost, the game goes on
        if self.settings.fire_reset and self.actions[1:2] == ("FIRE",) and len(self.actions) > 2:
            self._hold(1)
            self._hold(2)
        self._over = bool(self._ale.game_over())
        self._lives = self._ale.lives()
        if self._over:
            self.begin()

    def step(self, action: int) -> tuple[float, bool, bool]:
        """Hold an action; its reward, and whether the episode ended by the game's rules or by time."""
        reward = self._hold(action)
        truncated = bool(self._ale.game_truncated())
        self._over = bool(self._ale.game_over())
        lives = self._ale.lives()
        lost = self.settings.episodic_life and 0 < lives < self._lives
        self._lives = lives  # games give lives too, and one that was won can be lost
        return reward, (self._over and not truncated) or lost, truncated

    @property
    def over(self) -> bool:
        """Whether the whole game is over, and not a life of it alone."""
        return self._over

    def frame(self) -> UInt8[np.ndarray, "height width channels"]:
        """What is seen: the brighter of the last two frames."""
        seen: np.ndarray = self._screens.max(0)
        size = self.settings.size
        if size is not None and seen.shape[:2] != tuple(size):
            import cv2

            seen = cv2.resize(seen, (size[1], size[0]), interpolation=cv2.INTER_AREA).reshape(*size, -1)
        return seen

    def ram(self) -> UInt8[np.ndarray, " 128"]:
        """The memory in which the last frame was drawn."""
        return np.array(self._ale.getRAM(), np.uint8)

    def _hold(self, action: int) -> float:
        reward, skip = 0, self.settings.frame_skip
        self._screens[0] = 0
        for frame in range(skip):
            reward += self._ale.act(self._codes[action])
            if frame >= skip - 2:
                self._look(frame - skip)
            if self._ale.game_over():
                self._look(1)  # there may be no last frame
                break
        return float(reward)

    def _look(self, index: int) -> None:
        if self.settings.gray:
            self._ale.getScreenGrayscale(self._screens[index, :, :, 0])
        else:
            self._ale.getScreenRGB(self._screens[index])


def _play(
    rom: str,
    steps: int,
    seed: int,
    number: int,
    folder: Path,
    settings: AtariSettings,
    tick: Callable[[int], Any] | None = None,
) -> None:
    """One environment's share, into a store of its own."""
    tick = _tick if tick is None else tick
    chances = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
    game = AtariGame(rom, int(chances.integers(2**31)), settings)
    with FrameWriter(folder) as writer:
        fresh, action = True, 0
        for step in range(steps):
            if fresh:
                game.begin()
            if settings.policy == "random" or fresh or chances.random() >= settings.stickiness:
                action = int(chances.integers(len(game.actions)))
            frame, ram = game.frame(), game.ram()
            rew, terminated, truncated = game.step(action)
            truncated = truncated or (step + 1 == steps and not terminated)
            row = {"act": action, "rew": np.float32(rew), "terminated": terminated, "truncated": truncated}
            writer.append(frame, ram=ram, **row)
            fresh = terminated or truncated
            if fresh:  # the last frame of the episode, from which no step was taken
                nothing = {"act": 0, "rew": np.float32(0), "terminated": False, "truncated": False}
                writer.append(game.frame(), ram=game.ram(), **nothing)
                writer.end_episode()
            tick(1)


_counter: "Synchronized[int] | None" = None


def _tick(count: int) -> None:
    if _counter is not None:
        with _counter.get_lock():
            _counter.value += count


def _share_counter(counter: "Synchronized[int]") -> None:
    global _counter
    _counter = counter


def _play_side_by_side(jobs: list[tuple[Any, ...]], processes: int, bar: Any) -> None:
    spawn = multiprocessing.get_context("spawn")  # a forked child inherits locks of torch's threads
    counter = spawn.Value("q", 0)
    with ProcessPoolExecutor(processes, spawn, _share_counter, (counter,)) as pool:
        running = {pool.submit(_play, *job) for job in jobs}
        told = 0
        while running:
            finished, running = wait(running, timeout=0.5)
            bar.update(counter.value - told)
            told = counter.value
            for future in finished:
                future.result()


def _roms() -> list[str]:
    try:
        from ale_py import roms
    except ImportError as error:
        raise ValueError('`game` needs the emulator: pip install "rlpriors[atari]".') from error
    return list(roms.get_all_rom_ids())


def _check(folder: Path, plan: dict[str, Any]) -> None:
    """Refuse a folder in which something else was collected."""
    try:
        found = json.loads((folder / SETTINGS).read_text())
    except (OSError, ValueError) as error:
        raise ValueError(
            f"`folder` must be new, or hold frames that `collect` wrote. Received {str(folder)!r} "
            f"({type(error).__name__}: {error})."
        ) from error
    differ = [name for name in plan if found.get(name) != plan[name]]
    if differ:
        told = ", ".join(f"{name}={found.get(name)!r} (now {plan[name]!r})" for name in differ)
        raise ValueError(f"{folder} was collected with {told}. Take another folder, or remove it.")
