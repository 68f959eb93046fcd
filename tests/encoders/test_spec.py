"""Bounds of encoder specifications, and their JSON round trip."""

import json
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from rlpriors.encoders import EncoderSpec
from rlpriors.encoders.spec import check_size

SPEC = EncoderSpec(name="mine", source="timm", model_id="resnet18", license="mit", options={"depth": 2})


def test_spec_goes_through_json() -> None:
    assert EncoderSpec.from_dict(json.loads(json.dumps(asdict(SPEC)))) == SPEC


@pytest.mark.parametrize("data", [{"name": "mine"}, {**asdict(SPEC), "color": "red"}])
def test_from_dict_refuses_other_fields(data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="A spec must be made of"):
        EncoderSpec.from_dict(data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": "web"}, "source"),
        ({"resize": "crop"}, "resize"),
        ({"interpolation": "lanczos"}, "interpolation"),
        ({"input_size": (0, 8)}, "`input_size`"),
        ({"channels": 0}, "`channels` and `frames`"),
        ({"frames": 0}, "`channels` and `frames`"),
        ({"crop_pct": 0.0}, r"`crop_pct` must be in \(0, 1\]"),
        ({"crop_pct": 1.5}, "`crop_pct`"),
        ({"mean": (0.5,)}, "`mean` must hold one finite number for each of the 3 channels"),
        ({"mean": (0.5, float("nan"), 0.5)}, "`mean`"),
        ({"std": (0.5, 0.0, 0.5)}, "`std` must be above 0"),
    ],
)
def test_bounds(change: dict[str, Any], message: str) -> None:
    # Type checks are on in these tests, and see a wrong word before the spec does.
    with pytest.raises((ValueError, TypeCheckError), match=message):
        replace(SPEC, **change)


@pytest.mark.parametrize("size", [(84, 64), [84, 64], np.array([84, 64]), (np.int64(84), np.int32(64))])
def test_sizes_become_plain_integers(size: Any) -> None:
    checked = check_size("input_size", size)
    assert checked == (84, 64)
    assert json.dumps(checked) == "[84, 64]"


@pytest.mark.parametrize(
    ("size", "fix"),
    [
        (84, r"Received 84; pass \(84, 84\)"),
        ((84.0, 64.0), r"Received \(84\.0, 64\.0\); pass \(84, 64\)"),
        ((84.5, 84), r"Received \(84\.5, 84\)\."),
        ((84, 84, 3), r"Received \(84, 84, 3\)\."),
        ((0, 84), r"Received \(0, 84\)\."),
        ((True, True), "Received"),
        ("84x84", r"Received '84x84'\."),
        ((float("nan"), 84), "Received"),
        ((float("inf"), 84), "Received"),
        (None, "Received None"),
    ],
)
def test_other_sizes_are_refused_with_the_fix(size: Any, fix: str) -> None:
    with pytest.raises(ValueError, match=rf"`input_size` must be \(height, width\).*{fix}"):
        check_size("input_size", size)
