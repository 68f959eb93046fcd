"""Record of the encoder whose features a model reads.

`EncoderRecord`  fingerprint of the encoder, and the options that load it
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rlpriors.encoders.fingerprint import Fingerprint

__all__ = ["EncoderRecord"]


@dataclass(frozen=True)
class EncoderRecord:
    """Record of the encoder whose features a reward or a prior was trained on.

    Features of another encoder are other numbers of the same shape, so a reader checks them by the record.

    Example:
        >>> from rlpriors.encoders import load_encoder
        >>> encoder = load_encoder("nature-cnn", weights="none", device="cpu")
        >>> record = EncoderRecord(encoder.fingerprint(), {"encoder": "nature-cnn", "weights": "none"})
        >>> record.check(encoder.fingerprint(), "`reward`")
        >>> EncoderRecord.from_dict(record.as_dict()).name
        'nature-cnn'
    """

    fingerprint: Fingerprint
    """Fingerprint of the encoder."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the command that loaded the encoder, as plain data; empty if unknown."""

    @property
    def name(self) -> str:
        """Name or folder of the encoder."""
        return str(self.options.get("encoder") or self.fingerprint.spec["model_id"])

    def check(self, other: Fingerprint, reader: str) -> None:
        """Check that features of another encoder can be mixed with those of this one.

        Args:
            other: fingerprint of the encoder that makes the features now.
            reader: name of the reader for the error message.

        Raises:
            ValueError: the encoders differ; the message names the difference.
        """
        differences = self.fingerprint.mismatch(other)
        if differences:
            raise ValueError(
                f"{reader} must receive features of the encoder that it was trained with, {self.name!r}. "
                f"Received an encoder with another {' and '.join(differences)} "
                f"({self.fingerprint.explain(other)}); use the recorded encoder, or learn again with yours."
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the record as plain data for a JSON file."""
        return {"fingerprint": self.fingerprint.as_dict(), "options": dict(self.options)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any] | None) -> "EncoderRecord | None":
        """Return the record of `as_dict`; None for None.

        Raises:
            ValueError: parts are missing or unknown.
        """
        if content is None:
            return None
        if not isinstance(content, Mapping) or set(content) != {"fingerprint", "options"}:
            raise ValueError(f"A record must hold `fingerprint` and `options`. Received {content!r}.")
        return cls(Fingerprint.from_dict(content["fingerprint"]), dict(content["options"]))
