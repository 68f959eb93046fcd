"""Names of repositories on the Hugging Face hub.

`HUB_PREFIX`        prefix of names that refer to the hub
`parse_repository`  owner, name and revision of a repository
`is_repository`     test of a text: `<owner>/<name>`
"""

import re

__all__ = ["HUB_PREFIX", "is_repository", "parse_repository"]

HUB_PREFIX = "hf:"
PART = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?"
REPOSITORY = re.compile(rf"{PART}/{PART}")
REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,200}")


def parse_repository(name: str, argument: str = "name") -> tuple[str, str | None]:
    """Return repository and revision of `<owner>/<name>` or `<owner>/<name>@<revision>`.

    Names become folders of the cache.  Only letters, digits, `-`, `_` and `.` are therefore accepted.
    `argument` is the argument's name for the error message.

    Raises:
        ValueError: the name has another form.

    Example:
        >>> parse_repository("alice/reacher-reward@v1.0")
        ('alice/reacher-reward', 'v1.0')
        >>> parse_repository("../secrets")
        Traceback (most recent call last):
        ...
        ValueError: `name` must be '<owner>/<name>' or ... Received '../secrets'.
    """
    repository, at, revision = name.partition("@")
    fits = is_repository(repository) and (not at or REVISION.fullmatch(revision))
    if not fits or ".." in revision or "//" in revision or revision.endswith("/"):
        raise ValueError(
            f"`{argument}` must be '<owner>/<name>' or '<owner>/<name>@<revision>', of letters, digits, '-', "
            f"'_' and '.', as on the Hugging Face hub. Received {name!r}."
        )
    return repository, revision or None


def is_repository(text: str) -> bool:
    """Return True for a text `<owner>/<name>` that the hub accepts.

    Example:
        >>> is_repository("alice/reacher-reward"), is_repository("runs/a/reward"), is_repository("a/..")
        (True, False, False)
    """
    forbidden = "--" in text or ".." in text or text.endswith(".git")
    return REPOSITORY.fullmatch(text) is not None and not forbidden
