"""Encoders that are trained for probing."""

from pathlib import Path

import pytest
from benchmarks.probing.training import Training, train_encoder

from rlpriors.envs.atari.game import AtariSettings
from rlpriors.representation import RepresentationLearner


def test_an_interrupted_training_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collection = AtariSettings(n_envs=2, image_size=(84, 84))
    arguments = ("gaussian-prior", "pong", 0, Training(2, 80), collection, tmp_path, "cpu")
    update = RepresentationLearner.update

    def interrupted(self: RepresentationLearner) -> dict[str, float]:
        if self.updates:
            raise KeyboardInterrupt
        return update(self)

    monkeypatch.setattr(RepresentationLearner, "update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_encoder(*arguments)
    monkeypatch.setattr(RepresentationLearner, "update", update)
    encoder = train_encoder(*arguments)
    assert (encoder / "config.json").is_file()
    assert train_encoder(*arguments) == encoder
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("gauss")] == [
        "gaussian-prior-2-80"
    ]
