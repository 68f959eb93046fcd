"""Methods by name: EIRLI's names, options, and errors."""

import pytest

from rlpriors.representation.methods import EIRLI_NAMES
from rlpriors.representation.registry import find_recipe


@pytest.mark.parametrize("theirs", EIRLI_NAMES)
def test_methods_are_found_by_eirlis_names_too(theirs):
    assert find_recipe(theirs, {}).name == EIRLI_NAMES[theirs]


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("mea", {}, "Did you mean mae?"),
        ("TemporalCPCs", {}, r"Received 'TemporalCPCs'\. Did you mean TemporalCPC\?"),
        ("TemporalCPC", {"of": 3}, r"`options` of TemporalCPC must be among \['offset'.* Received \['of'\]"),
        ("mae", {"mask": 0.5}, r"`options` of mae must be among \['mask_ratio', .* Received \['mask'\]"),
        ("mae", {"mask_ratio": 1.0}, "`(mask_)?ratio`.* must be between 0 and 1"),
    ],
)
def test_methods_and_options_that_are_unknown(method, options, message):
    with pytest.raises(ValueError, match=message):
        find_recipe(method, options)
