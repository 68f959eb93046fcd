"""Checks of settings by their annotations, for every settings class of the repository."""

import math
import re
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest
from hypothesis import Phase, given
from hypothesis import settings as run
from hypothesis import strategies as st

from rlpriors.diffusion.process import DiffusionProcess
from rlpriors.diffusion.schedule import NoiseSchedule
from rlpriors.envs.maze.maze import Maze
from rlpriors.rewards.components import RewardComponent
from rlpriors.settings import SettingsError, check_fields

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Inner:
    size: int = 1


@dataclass(frozen=True)
class Every:
    number: int = 1
    rate: float = 0.5
    flag: bool = False
    name: str = "a"
    folder: Path = Path("a")
    mode: Literal["a", "b", 1] = "a"
    maybe: int | None = None
    pair: tuple[int, float] = (1, 0.5)
    many: tuple[int, ...] = (1,)
    inner: Inner = field(default_factory=Inner)
    weights: Mapping[str, float] = field(default_factory=dict)
    keys: Sequence[str] = ()
    source: str | Path = "a"
    run: Callable[[int], int] | None = None

    def __post_init__(self) -> None:
        check_fields(self)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"number": 1.0}, r"`number` must be an integer\. Received 1\.0"),
        ({"number": True}, "`number` must be an integer"),
        ({"number": "1"}, r"`number` must be an integer\. Received '1'"),
        ({"number": None}, "`number` must be an integer"),
        ({"number": 2**63}, r"`number` must be an integer of at most 64 bits\. Received 9223372036854775808"),
        ({"run": 3}, "`run` must be a function or None"),
        ({"rate": math.nan}, r"`rate` must be a finite number\. Received nan"),
        ({"rate": math.inf}, r"`rate` must be a finite number\. Received inf"),
        ({"rate": np.float32("nan")}, "`rate` must be a finite number"),
        ({"rate": 10**400}, "`rate` must be a finite number"),
        ({"rate": "0.5"}, "`rate` must be a finite number"),
        ({"rate": True}, "`rate` must be a finite number"),
        ({"rate": np.zeros(1)}, "`rate` must be a finite number"),
        ({"rate": 1j}, "`rate` must be a finite number"),
        ({"flag": 1}, r"`flag` must be True or False\. Received 1"),
        ({"name": b"a"}, "`name` must be a string"),
        ({"name": Path("a")}, "`name` must be a string"),
        ({"folder": 3}, "`folder` must be a path"),
        ({"folder": "a\0"}, "`folder` must be a path"),
        ({"mode": "c"}, r"`mode` must be one of \['a', 'b', 1\]\. Received 'c'"),
        ({"mode": True}, "`mode` must be one of"),
        ({"mode": ["a"]}, "`mode` must be one of"),
        ({"maybe": 0.5}, r"`maybe` must be an integer or None\. Received 0\.5"),
        ({"pair": (1, 2, 3)}, r"`pair` must be a tuple of 2 entries: \(an integer, a finite number\)"),
        ({"pair": (0.5, 0.5)}, "`pair` must be a tuple of 2 entries"),
        ({"pair": (1, math.nan)}, "`pair` must be a tuple of 2 entries"),
        ({"many": (1, 0.5)}, r"`many` must be a tuple of integers\. Received \(1, 0\.5\)"),
        ({"many": 3}, "`many` must be a tuple of integers"),
        ({"many": "12"}, "`many` must be a tuple of integers"),
        ({"many": {1}}, "`many` must be a tuple of integers"),
        ({"inner": 3}, "`inner` must be an instance of Inner"),
        ({"inner": {"size": 3}}, "`inner` must be an instance of Inner"),
        ({"weights": {"a": math.inf}}, "`weights` must be a mapping of strings to finite numbers"),
        ({"weights": {1: 1.0}}, "`weights` must be a mapping"),
        ({"weights": []}, "`weights` must be a mapping"),
        ({"keys": "abc"}, r"`keys` must be a sequence of strings\. Received 'abc'; pass \['abc'\]"),
        ({"keys": [1]}, "`keys` must be a sequence of strings"),
        ({"source": 3}, r"`source` must be a string or a path\. Received 3"),
        ({"many": ("a" * 999,)}, r"Received \('a+\.\.\.\.$"),
    ],
)
def test_a_field_that_does_not_fit(changes, message):
    with pytest.raises(SettingsError, match=message):
        replace(Every(), **changes)


@pytest.mark.parametrize(
    ("changes", "stored"),
    [
        ({"number": np.int64(3)}, 3),
        ({"number": 2**63 - 1}, 2**63 - 1),
        ({"rate": 1}, 1),
        ({"rate": np.float32(0.5)}, 0.5),
        ({"rate": np.int8(2)}, 2.0),
        ({"flag": np.True_}, True),
        ({"name": np.str_("b")}, "b"),
        ({"folder": "b"}, Path("b")),
        ({"mode": 1}, 1),
        ({"maybe": np.int64(3)}, 3),
        ({"pair": [1, 2.5]}, (1, 2.5)),
        ({"many": [np.int64(3), 4]}, (3, 4)),
        ({"many": ()}, ()),
        ({"weights": {"a": 1}}, {"a": 1}),
        ({"keys": ["a"]}, ["a"]),
        ({"source": "b"}, "b"),
        ({"source": Path("b")}, Path("b")),
    ],
)
def test_equal_types_are_converted(changes, stored):
    (name,) = changes
    value = getattr(replace(Every(), **changes), name)
    assert value == stored
    assert type(value) is type(stored)
    if isinstance(stored, tuple):
        assert list(map(type, value)) == list(map(type, stored))


def settings_classes() -> list[type[Any]]:
    """All dataclasses of the library and the benchmarks that check their fields."""
    classes: dict[str, type[Any]] = {}
    for top in ("src/rlpriors", "agents", "rewards", "scripts", "wrappers", "benchmarks"):
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if parts[:2] == ("src", "rlpriors") and parts[2] in {"agents", "rewards", "scripts", "wrappers"}:
                continue  # links
            text = path.read_text()
            is_checked = "check_fields(self)" in text or "super().__post_init__()" in text
            if "@dataclass" in text and (is_checked or re.search(r"^class \w+\(\w+Args\):", text, re.M)):
                parts = parts[1:] if parts[0] == "src" else parts
                name = ".".join(parts if parts[0] in {"rlpriors", "benchmarks"} else ("rlpriors", *parts))
                module = import_module(name)
                for value in vars(module).values():
                    is_settings = isinstance(value, type) and is_dataclass(value) and checks_fields(value)
                    if is_settings and value.__module__ == name:
                        classes[f"{name}.{value.__qualname__}"] = value
    return list(classes.values())


def checks_fields(cls: type[Any]) -> bool:
    return any("check_fields" in code.co_names for code in (f.__code__ for f in post_inits(cls)))


def post_inits(cls: type[Any]) -> list[Any]:
    functions = [vars(base)["__post_init__"] for base in cls.__mro__ if "__post_init__" in vars(base)]
    return [getattr(function, "__wrapped__", function) for function in functions]


def examples() -> dict[str, dict[str, Any]]:
    """Required fields whose type does not determine a valid value, by class."""
    component = RewardComponent("MLPReward", {"obs_dim": 2, "act_dim": 1})
    process = DiffusionProcess(NoiseSchedule(10))
    return {
        "EncoderSpec": {"source": "network", "model_id": "nature-cnn", "license": "mit"},
        "EnsembleSettings": {"members": (component, component)},
        "SumSettings": {"terms": (component,), "weights": (1.0,)},
        "NormalizedSettings": {"base": component},
        "Sampling": {"process": process, "denoiser": lambda x, t: x},
        "LearnRewardSettings": {"env": "CartPole-v1", "demos": "a"},
        "ProbeRunSettings": {"env": "CartPole-v1"},
        "PretrainSettings": {"env": "CartPole-v1"},
        "TrainPolicySettings": {"env": "CartPole-v1", "reward": Path("a")},
        "PointMazeTask": {"maze": Maze(["####", "#  #", "####"]), "goal": (1.0, 1.0)},
    }


def example(hint: Any) -> Any:
    """Return a valid value of an annotation."""
    simple = {int: 8, float: 0.5, bool: False, str: "a", Path: Path("a"), dict[str, Any]: {}}
    if hint in simple:
        return simple[hint]
    if get_origin(hint) is Literal:
        return get_args(hint)[0]
    if get_origin(hint) is Mapping:
        return {}
    if get_origin(hint) is tuple:
        return tuple(example(part) for part in get_args(hint) if part is not ...)
    if get_origin(hint) in (Union, types.UnionType):
        return example(get_args(hint)[0])
    hints = get_type_hints(hint)
    values = examples().get(hint.__name__, {})
    for entry in fields(hint):
        if entry.default is MISSING and entry.default_factory is MISSING and entry.name not in values:
            values[entry.name] = example(hints[entry.name])
    return hint(**values)


def numbers_in(value: Any) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    if isinstance(value, dict | list | tuple):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from numbers_in(entry)


NUMBERS = st.integers() | st.floats() | st.sampled_from([0, -1, 10**400, math.nan, math.inf, True])
VALUES = st.recursive(
    st.none() | NUMBERS | st.text(max_size=3) | st.binary(max_size=3) | st.builds(object),
    lambda inner: (
        st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(st.text(max_size=2), inner)
    ),
    max_leaves=4,
)


def check_fields_of(valid: Any) -> None:
    """Check that each value of a field is refused by a ValueError, or fits and is finite."""

    hints = get_type_hints(type(valid))

    @run(max_examples=run().max_examples * 5 // 8, phases=[Phase.generate])  # 25 unless nightly
    @given(name=st.sampled_from([entry.name for entry in fields(valid)]), value=VALUES)
    def check(name: str, value: Any) -> None:
        try:
            changed = replace(valid, **{name: value})
        except ValueError:
            return
        except Exception as error:
            raise AssertionError(f"{type(valid).__name__}({name}={value!r}): {error!r}") from error
        check_fields(changed)
        if "Any" not in str(hints[name]):  # of free content, the class that receives it checks more
            assert all(map(math.isfinite, numbers_in(getattr(changed, name)))), (type(valid), name, value)

    check()


@pytest.mark.usefixtures("without_type_checks")
def test_every_settings_class_refuses_values_that_do_not_fit():
    classes = settings_classes()
    assert len(classes) > 55
    for cls in classes:
        check_fields_of(example(cls))


def test_all_settings_classes_check_their_fields():
    checked = {cls.__name__ for cls in settings_classes()}
    named = set()
    for top in ("src/rlpriors", "agents", "rewards", "scripts", "wrappers", "benchmarks"):
        for path in (ROOT / top).rglob("*.py"):
            pattern = r"@dataclass.*\nclass (\w+(?:Settings|Args|Options))\b"
            named |= set(re.findall(pattern, path.read_text()))
    assert named - checked == set()
