"""What the license of an encoder's weights asks of the user.

`forbids_commercial_use`   whether a license's short form says so
`check_license`            refuses weights that the user did not agree to
"""

import re

from rlpriors.encoders.spec import EncoderSpec

__all__ = ["check_license", "forbids_commercial_use"]

NONCOMMERCIAL = re.compile(r"(^|[^a-z])nc([^a-z]|$)|non-?commercial|research-?only|fair-?noncommercial")


def forbids_commercial_use(license: str) -> bool:
    """Whether the short form of a license speaks against commercial use.

    Example:
        >>> forbids_commercial_use("cc-by-nc-4.0"), forbids_commercial_use("apache-2.0")
        (True, False)
    """
    return NONCOMMERCIAL.search(license.lower()) is not None


def check_license(spec: EncoderSpec, allow_noncommercial: bool) -> None:
    """Refuse non-commercial and gated weights unless the user allowed them.

    Raises:
        ValueError: the license asks for it; the message quotes it.
    """
    if allow_noncommercial or (spec.commercial and not spec.gated):
        return
    which = "gives them only to those who accept its terms" if spec.commercial else "forbids commercial use"
    raise ValueError(
        f"`allow_noncommercial` must be True for {spec.name!r}: its weights are under {spec.license!r}, "
        "which "
        f'{which}. Pass it if that suits you; weights="none" builds the network untrained.'
    )
