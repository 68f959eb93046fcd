"""Requests to the Hugging Face hub that fail at once without a network.

`without_retries`  context manager in which an unreachable hub is not asked again and again
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit
from urllib.request import getproxies

__all__ = ["without_retries"]

CONNECT_SECONDS = 4.0
_REACHED: set[str] = set()  # endpoints that answered in this process


@contextmanager
def without_retries() -> Iterator[str | None]:
    """Use only the cache of an unreachable hub in the body, whose requests would take half a minute each.

    The hub's library repeats a request five times.  Inside this context manager it is offline instead.  The
    value is the reason, and None if the hub can be reached, if HF_HUB_OFFLINE is set, or without the library.

    Example:
        >>> with without_retries() as reason:
        ...     pass
        >>> reason is None or "unreachable" in reason
        True
    """
    try:
        from huggingface_hub import constants
    except ImportError:
        yield None
        return
    reason = None if constants.HF_HUB_OFFLINE else _unreachable(constants.ENDPOINT)
    if reason is None:
        yield None
        return
    constants.HF_HUB_OFFLINE = True  # each request reads it
    try:
        yield reason
    finally:
        constants.HF_HUB_OFFLINE = False


def _unreachable(endpoint: str) -> str | None:
    """Return why no connection to the hub is possible; None if one is, or if a proxy decides it."""
    url = urlsplit(endpoint)
    if url.hostname is None or endpoint in _REACHED or getproxies().get(url.scheme):
        return None
    port = url.port or (80 if url.scheme == "http" else 443)
    try:
        socket.create_connection((url.hostname, port), CONNECT_SECONDS).close()
    except OSError as error:
        return f"{url.hostname} is unreachable ({error})"
    _REACHED.add(endpoint)
    return None
