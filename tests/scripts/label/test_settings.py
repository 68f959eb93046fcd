"""Settings of `rlpriors label`."""

from pathlib import Path
from typing import Any

import pytest

from rlpriors.scripts.label.settings import LabelSettings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_pairs": 0}, "`n_pairs` must be at least 1"),
        ({"length": 0}, "`length` must be at least 1"),
        ({"band": -1.0, "labeler": "oracle"}, "`band` must be at least 0"),
        ({"flip_probability": 1.1, "labeler": "oracle"}, r"`flip_probability` must be in \[0, 1\]"),
        ({"labeler": "robot"}, '`labeler` must be "page", "human", "oracle" or "<module>:<function>"'),
        ({"labeler": "module:"}, "`labeler` must be"),
        ({"labeler": ":function"}, "`labeler` must be"),
        ({"flip_probability": 0.1}, '`flip_probability` and `band` are for `labeler` "oracle"'),
        ({"band": 0.1, "labeler": "a:b"}, "`flip_probability` and `band` are for"),
        ({"pictures": 2}, "`pictures` and `both_orders` are for a `labeler`"),
        ({"both_orders": True, "labeler": "oracle"}, "`pictures` and `both_orders` are for"),
        ({"sampler": "disagreement"}, "`rewards` must be at least two folders .* Received 0"),
        ({"sampler": "disagreement", "rewards": (Path("a"),)}, "`rewards` must be at least two folders"),
        ({"rewards": (Path("a"),)}, "`rewards` are for"),
        ({"rewards": (Path("a"), Path("b"))}, "`rewards` must be at least two folders"),
    ],
)
def test_bounds_and_contradictions(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LabelSettings(data="episodes.npz", **change)


def test_labelers_by_name() -> None:
    for name in ("page", "human", "oracle", "my.labels:compare"):
        assert LabelSettings(data="episodes.npz", labeler=name).labeler == name
