"""EncodeOptions: one declaration for the three wrappers, their signatures and their help."""

import inspect
import pydoc
import subprocess
import sys
from typing import Any, get_type_hints

import pytest
from noise_env import NoiseEnv, small_encoder

from rlpriors.wrappers import EncodeObservation, TensorEncodeObservation, VectorEncodeObservation
from rlpriors.wrappers.encode_options import (
    EncodeOptions,
    EncodeOptionsDict,
    NumpyEncodeOptions,
    TensorEncodeOptions,
)
from rlpriors.wrappers.tianshou import TianshouEncodeObservation

WRAPPERS: list[Any] = [
    EncodeObservation,
    VectorEncodeObservation,
    TianshouEncodeObservation,
    TensorEncodeObservation,
]


def test_the_keyword_arguments_are_the_fields() -> None:
    fields = get_type_hints(EncodeOptions)
    assert get_type_hints(EncodeOptionsDict) == fields
    del fields["output"]
    assert get_type_hints(NumpyEncodeOptions) == fields
    del fields["cache"]
    assert get_type_hints(TensorEncodeOptions) == fields


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_signatures_list_the_options_with_their_defaults(wrapper: Any) -> None:
    defaults = {name: p.default for name, p in inspect.signature(EncodeOptions).parameters.items()}
    if wrapper in (TianshouEncodeObservation, TensorEncodeObservation):
        del defaults["output"]
    if wrapper is TensorEncodeObservation:
        del defaults["cache"]
        defaults = {"autoreset_mode": None, "single_observation_space": None, **defaults}
    options = dict(list(inspect.signature(wrapper).parameters.items())[2:])
    assert {name: p.default for name, p in options.items()} == defaults


def test_help_lists_the_options() -> None:
    text = pydoc.plain(pydoc.render_doc(EncodeObservation))
    assert "stack: 'int' = 1" in text or "stack: int = 1" in text
    for name in inspect.signature(EncodeOptions).parameters:
        assert f"`{name}`" in (EncodeObservation.__doc__ or "")


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'stacks'"):
        EncodeObservation(NoiseEnv(), small_encoder(), stacks=2)


def test_importing_the_wrappers_does_not_import_tianshou() -> None:
    code = "import sys, rlpriors.wrappers, rlpriors.wrappers.vector; print('tianshou' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
