"""Atari games on the emulator: lives, and the beginning of an episode."""

from types import SimpleNamespace

import pytest

from rlpriors.envs.atari.game import AtariGame, AtariSettings

pytest.importorskip("ale_py")


def test_a_game_begins_by_firing() -> None:
    """In Breakout the ball is there (its height is not 0) only after FIRE."""
    for fire_reset in (True, False):
        game = AtariGame("breakout", 0, AtariSettings(fire_reset=fire_reset))
        game.begin()
        game.step(0)
        assert bool(game.ram()[101]) is fire_reset


def test_a_life_that_was_won_can_be_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    game = AtariGame("breakout", 0, AtariSettings(episodic_life=True))
    game.begin()
    lives = iter((6, 5))  # Breakout begins with 5
    ale = SimpleNamespace(lives=lambda: next(lives), game_over=lambda: False, game_truncated=lambda: False)
    monkeypatch.setattr(game, "_ale", ale)
    monkeypatch.setattr(game, "_hold", lambda action: 0.0)
    assert [game.step(0)[1] for _ in range(2)] == [False, True]
