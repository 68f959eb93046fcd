"""Clear errors of the Hugging Face hub.

`import_hub`          the package `huggingface_hub`
`explain_hub_errors`  context manager that turns the hub's errors into one sentence with the fix
`error_causes`        an error and its causes
`is_offline`          test of HF_HUB_OFFLINE
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rlpriors.extras import missing_extra
from rlpriors.sharing.reach import without_retries
from rlpriors.storage.module_files import CONFIG, CheckpointError

__all__ = ["error_causes", "explain_hub_errors", "import_hub", "is_offline"]

LOGIN = "log in with `hf auth login`, or set HF_TOKEN"


def import_hub() -> Any:
    """Return the package `huggingface_hub`, imported when it is used.

    Raises:
        ImportError: it is not installed.
    """
    try:
        import huggingface_hub
    except ImportError as error:
        raise ImportError(missing_extra("The Hugging Face hub needs huggingface_hub", "hub")) from error
    return huggingface_hub


@contextmanager
def explain_hub_errors(repository: str, *, write: bool = False) -> Iterator[None]:
    """Turn errors of the hub in the body into one sentence with the fix.

    Args:
        repository: `<owner>/<name>`, for the message.
        write: the body uploads.

    Raises:
        CheckpointError: the repository lacks a file of a saved model.
        PermissionError: the token is missing, or does not allow the access.
        FileNotFoundError: the repository or the revision does not exist, or is not in the cache while
            HF_HUB_OFFLINE is set.
        ConnectionError: the hub cannot be reached, or answers with an error.
    """
    reason = None
    try:
        with without_retries() as reason:
            yield
    except CheckpointError:
        raise
    except Exception as error:
        causes = list(error_causes(error))
        names = {cls.__name__ for cause in causes for cls in type(cause).__mro__}
        if reason is not None and names & {"OSError", "RuntimeError"}:
            raise ConnectionError(
                f"Cannot reach the hub for {repository!r}: {reason}. Check the network, and try again."
            ) from error
        statuses = {getattr(getattr(cause, "response", None), "status_code", None) for cause in causes}
        what = f"Cannot {'write to' if write else 'read'} the repository {repository!r} of the hub"
        if "GatedRepoError" in names:
            raise PermissionError(
                f"{what}: it is gated. Accept its terms on its page, then {LOGIN}, and try again."
            ) from error
        if write and statuses & {401, 403}:
            raise PermissionError(f"{what}: a token with write access is needed; {LOGIN}.") from error
        if "RepositoryNotFoundError" in names:
            raise FileNotFoundError(
                f"{what}: it does not exist, or is private. Check the name; for a private one {LOGIN}."
            ) from error
        if statuses & {401, 403}:
            raise PermissionError(f"{what}: this token does not allow it; {LOGIN}.") from error
        if "RevisionNotFoundError" in names:
            raise FileNotFoundError(
                f"{what}: it has no such revision. Check the part after '@', or leave it out."
            ) from error
        if "RemoteEntryNotFoundError" in names or 404 in statuses:
            raise CheckpointError(
                f"{what}: it is not a model that rlpriors saved ({CONFIG} and model.safetensors are needed). "
                "Check the name."
            ) from error
        if write and is_offline():
            raise ConnectionError(f"{what}: HF_HUB_OFFLINE is set. Unset it to upload.") from error
        if "OfflineModeIsEnabled" in names or ("LocalEntryNotFoundError" in names and is_offline()):
            raise FileNotFoundError(
                f"{what}: HF_HUB_OFFLINE is set, and the model is not in the cache. Unset it to allow the "
                "network, or give a local folder."
            ) from error
        if not names & {"OSError", "HTTPError", "TransportError", "RuntimeError"}:
            raise
        found = str(causes[-1]).strip().splitlines() or [type(causes[-1]).__name__]
        advice = "Check the network, and try again." if statuses == {None} else "Try again later."
        advice = "Correct the request." if statuses & {400, 409, 413, 422} else advice
        raise ConnectionError(f"{what}: {found[0].rstrip('.')}. {advice}") from error


def is_offline() -> bool:
    """Return True if `HF_HUB_OFFLINE=1` is set, which the hub's libraries respect too."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def error_causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, its cause, the cause of that, and so on."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
