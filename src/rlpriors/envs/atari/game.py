"""Atari games on the emulator.

`AtariSettings`  settings of the game and of the random policy
`AtariGame`      one game, step by step
`rom_names`      names of the installed games

Defaults follow AtariARI (arXiv 1906.08226): each action is held for four frames, an observation is the
pixel-wise maximum of the last two, an episode ends with a life, and games begin with up to 30 no-op frames
and with FIRE where the game has this action.  Two things differ from AtariARI: each frame has the RAM it was
drawn from (there, the first frame of an episode has the last RAM of the previous episode), and the no-op is
an action like others.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import UInt8

from rlpriors.envs.atari.ram_annotations import game_name
from rlpriors.extras import missing_extra
from rlpriors.settings import check_fields

__all__ = ["AtariGame", "AtariSettings", "rom_names"]

Policy = Literal["random", "sticky"]
MAX_EPISODE_FRAMES = 108_000  # emulated frames, half an hour: the usual time limit


@dataclass(frozen=True)
class AtariSettings:
    """Settings of an Atari game and of its random policy; the defaults are AtariARI's.

    Raises:
        ValueError: a field is out of its bounds.
    """

    policy: Policy = "random"
    """Random policy: "random" draws each action independently; "sticky" repeats the last action with
    probability `stickiness` and reaches more states."""
    stickiness: float = 0.9
    """Chance that the "sticky" policy repeats its action, in [0, 1)."""
    gray: bool = True
    """Store frames with one gray channel instead of three color channels."""
    image_size: tuple[int, int] | None = None
    """Height and width of the stored frames; None for the console's 210 x 160."""
    frame_skip: int = 4
    """Number of emulated frames that an action is held, at least 1."""
    repeat_action_probability: float = 0.0
    """Chance that the emulator repeats an action, in [0, 1); the usual value for agents is 0.25."""
    episodic_life: bool = True
    """End an episode with each lost life."""
    fire_reset: bool = True
    """Press FIRE at the beginning of an episode, in games that have this action."""
    noop_max: int = 30
    """Maximum number of no-op frames at the beginning of a game, drawn from 1 to this number; 0 for none."""
    n_envs: int = 8
    """Number of games, each with an equal share of the steps."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.policy not in get_args(Policy):
            raise ValueError(f"`policy` must be one of {list(get_args(Policy))}. Received {self.policy!r}.")
        for name in ("stickiness", "repeat_action_probability"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be in [0, 1). Received {getattr(self, name)}.")
        for name, least in (("frame_skip", 1), ("n_envs", 1), ("noop_max", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"`{name}` must be at least {least}. Received {getattr(self, name)}.")
        size = self.image_size
        if size is not None and (len(size) != 2 or min(size) < 1):
            raise ValueError(f"`image_size` must be (height, width), at least 1. Received {size}.")


class AtariGame:
    """One game on the emulator: `begin` an episode, `step`, read `frame()` and `ram()`.

    Example:
        >>> game = AtariGame("pong", seed=0)
        >>> game.begin()
        >>> reward, terminated, truncated = game.step(0)
        >>> game.frame().shape, game.ram().shape, game.actions
        ((210, 160, 1), (128,), ('NOOP', 'FIRE', 'RIGHT', 'LEFT', 'RIGHTFIRE', 'LEFTFIRE'))
    """

    actions: tuple[str, ...]
    """Names of the actions, by their number."""

    def __init__(self, game: str, seed: int, settings: AtariSettings | None = None) -> None:
        from ale_py import ALEInterface, LoggerMode, roms

        self.settings = AtariSettings() if settings is None else settings
        ALEInterface.setLoggerMode(LoggerMode.Error)
        self._ale = ale = ALEInterface()
        ale.setInt("random_seed", seed % 2**31)
        ale.setFloat("repeat_action_probability", self.settings.repeat_action_probability)
        ale.setInt("max_num_frames_per_episode", MAX_EPISODE_FRAMES)
        path = roms.get_rom_path(game_name(game, rom_names()))
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
            n_noops = self.settings.noop_max and int(self._rng.integers(1, self.settings.noop_max + 1))
            for _ in range(n_noops):
                self._ale.act(self._codes[0])
                if self._ale.game_over():
                    self._ale.reset_game()
            self._draw(0)
            self._screens[1] = self._screens[0]
        else:
            self._hold(0)  # the life is lost, the game continues
        if self.settings.fire_reset and self.actions[1:2] == ("FIRE",) and len(self.actions) > 2:
            self._hold(1)
            self._hold(2)
        self._over = bool(self._ale.game_over())
        self._lives = self._ale.lives()
        if self._over:
            self.begin()

    def step(self, action: int) -> tuple[float, bool, bool]:
        """Hold an action and return its reward, `terminated` (by the rules) and `truncated` (by time)."""
        reward = self._hold(action)
        truncated = bool(self._ale.game_truncated())
        self._over = bool(self._ale.game_over())
        lives = self._ale.lives()
        lost = self.settings.episodic_life and 0 < lives < self._lives
        self._lives = lives  # a game can also add lives
        return reward, (self._over and not truncated) or lost, truncated

    @property
    def over(self) -> bool:
        """True when the whole game is over, not only a life."""
        return self._over

    def frame(self) -> UInt8[np.ndarray, "height width channels"]:
        """Return the observation: the pixel-wise maximum of the last two frames."""
        frame: np.ndarray = self._screens.max(0)
        size = self.settings.image_size
        if size is not None and frame.shape[:2] != tuple(size):
            import cv2

            frame = cv2.resize(frame, (size[1], size[0]), interpolation=cv2.INTER_AREA).reshape(*size, -1)
        return frame

    def ram(self) -> UInt8[np.ndarray, " 128"]:
        """Return the RAM that the last frame was drawn from."""
        return np.array(self._ale.getRAM(), np.uint8)

    def _hold(self, action: int) -> float:
        reward, skip = 0, self.settings.frame_skip
        self._screens[0] = 0
        for frame in range(skip):
            reward += self._ale.act(self._codes[action])
            if frame >= skip - 2:
                self._draw(frame - skip)
            if self._ale.game_over():
                self._draw(1)  # there may be no last frame
                break
        return float(reward)

    def _draw(self, index: int) -> None:
        if self.settings.gray:
            self._ale.getScreenGrayscale(self._screens[index, :, :, 0])
        else:
            self._ale.getScreenRGB(self._screens[index])


def rom_names() -> list[str]:
    """Return the names of the installed games.

    Raises:
        ValueError: ale_py is not installed.
    """
    try:
        from ale_py import roms
    except ImportError as error:
        raise ValueError(missing_extra("`game` needs the emulator ale_py", "atari")) from error
    return list(roms.get_all_rom_ids())
