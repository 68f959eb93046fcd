"""Checks of the license of an encoder's weights.

`forbids_commercial_use`   test of a license identifier
`check_license`            check that the user accepted the license
"""

import re

from rlpriors.encoders.spec import EncoderSpec

__all__ = ["check_license", "forbids_commercial_use"]

NONCOMMERCIAL = re.compile(r"(^|[^a-z])nc([^a-z]|$)|non-?commercial|research-?only|fair-?noncommercial")


def forbids_commercial_use(license: str) -> bool:
    """Return True if a license identifier excludes commercial use.

    Example:
        >>> forbids_commercial_use("cc-by-nc-4.0"), forbids_commercial_use("apache-2.0")
        (True, False)
    """
    return NONCOMMERCIAL.search(license.lower()) is not None


def check_license(spec: EncoderSpec, allow_noncommercial: bool) -> None:
    """Check that the user accepted non-commercial and gated weights.

    Raises:
        ValueError: the user did not; the message quotes the license.
    """
    if allow_noncommercial or (spec.commercial and not spec.gated):
        return
    restriction = "requires acceptance of its terms" if spec.commercial else "forbids commercial use"
    raise ValueError(
        f"`allow_noncommercial` must be True for {spec.name!r}: its weights are under {spec.license!r}, "
        f'which {restriction}. Pass it if you accept; weights="none" builds the network untrained.'
    )
