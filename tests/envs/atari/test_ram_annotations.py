"""RAM annotations of Atari games."""

import numpy as np
import pytest

from rlpriors.data.frames import FrameStore
from rlpriors.envs.atari.collect import collect_atari
from rlpriors.envs.atari.game import AtariSettings
from rlpriors.envs.atari.ram_annotations import CATEGORIES, GAMES, PAPER_GAMES, game_name, ram_labels

pytest.importorskip("ale_py")

FEW = AtariSettings(n_envs=3, noop_max=2)


def test_all_games_of_the_paper_are_known() -> None:
    assert len(GAMES) == 24
    assert sum(map(len, GAMES.values())) == 362
    assert len(PAPER_GAMES) == 22
    counts = {game: len(GAMES[game]) for game in ("asteroids", "berzerk", "pong", "seaquest", "qbert")}
    assert counts == {"asteroids": 41, "berzerk": 34, "pong": 8, "seaquest": 18, "qbert": 29}
    for variables in GAMES.values():
        for variable in variables.values():
            assert 0 <= variable.address < 128
            assert set(variable.categories) <= set(CATEGORIES)
    assert GAMES["pong"]["ball_x"] == (49, ("small_object_localization",))
    assert GAMES["asteroids"]["num_lives_direction"].categories == ("score_clock_lives_display", "misc")
    assert GAMES["qbert"]["tile_color_0"].categories == ()  # as in AtariARI, which leaves it out of its means


@pytest.mark.parametrize("name", ["Pong", "ALE/Pong-v5", "PongNoFrameskip-v4", "PONG"])
def test_games_have_many_spellings(name: str) -> None:
    assert game_name(name) == "pong"
    assert game_name("MontezumaRevenge") == game_name("montezuma_revenge") == "montezumarevenge"


@pytest.fixture(scope="module")
def pong(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    return collect_atari("Pong", 120, 5, tmp_path_factory.mktemp("pong") / "store", FEW, progress=False)


def test_memory_belongs_to_the_frame_beside_it(pong: FrameStore) -> None:
    """Pong's own paddle is the only green on the right: its brightest row follows `player_y`."""
    x = pong.frames[:, 34:194, 140:144, 0].astype(int)
    seen = np.array([frame.mean(1).argmax() if np.ptp(frame) else -1 for frame in x])
    known = ram_labels(pong, "pong")["player_y"]
    there = (seen >= 0) & (known > 50) & (known < 180)
    assert there.sum() > 60
    assert np.corrcoef(seen[there], known[there])[0, 1] > 0.99
