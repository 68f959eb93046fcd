"""Download, reading and strict loading of weights.

`download`              published file, with a progress bar and a cache
`explain_download`      context manager that turns download failures into one clear error
`read_weights`          tensors of a safetensors file or a torch checkpoint, without unpickling
`load_weights_strict`   load tensors into a network; all keys must match
`seeded_init`           context manager that seeds the initialization of a network
"""

import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from tqdm import tqdm

from rlpriors.checkpoint import CheckpointError
from rlpriors.encoders.torch_checkpoint import load_tensors
from rlpriors.sharing.hub_errors import error_causes, is_offline
from rlpriors.storage.atomic import write_atomically

__all__ = ["download", "explain_download", "load_weights_strict", "read_weights", "seeded_init"]

NESTED_KEYS = ("state_dict", "model_state_dict", "model", "teacher", "r3m", "vip")  # entries with the tensors
LIGHTNING_PREFIX = "model."
WRAPPER_PREFIXES = ("module.", "_orig_mod.", LIGHTNING_PREFIX)  # of DataParallel, torch.compile, Lightning


def download(url: str, name: str, *, progress: bool = True) -> Path:
    """Download a published file into torch's cache folder, or use the cached file.

    `name` is the encoder's name for error messages.

    Raises:
        FileNotFoundError: the file is not cached, and the network is disabled or unreachable.
    """
    # Files of different publishers have equal names ("model.pt"), so the path holds the whole URL.
    path = Path(torch.hub.get_dir(), "rlpriors", *url.partition("://")[2].split("/"))
    if path.is_file():
        return path
    with explain_download(name, url):
        if is_offline():
            raise ConnectionError("the network is disabled by HF_HUB_OFFLINE")
        with urllib.request.urlopen(url, timeout=30) as response:
            total = int(response.headers.get("Content-Length") or 0)

            def write(temporary: Path) -> None:
                done = 0
                with (
                    open(temporary, "wb") as file,
                    tqdm(total=total, unit="B", unit_scale=True, desc=name, disable=not progress) as bar,
                ):
                    while chunk := response.read(1 << 20):
                        file.write(chunk)
                        bar.update(len(chunk))
                        done += len(chunk)
                if total and done != total:
                    raise ConnectionError(f"received {done} of {total} bytes")

            write_atomically(path, write)
    return path


@contextmanager
def explain_download(name: str, url: str, reason: str | None = None) -> Iterator[None]:
    """Turn the errors of a failed download of `url` into one clear error.

    Args:
        name: name of the encoder.
        url: place of the weights.
        reason: known reason of a failure; by default that of the error.

    Raises:
        FileNotFoundError: the download in the body failed.
        PermissionError: the weights are gated, and the user has not accepted the publisher's terms.
    """
    try:
        yield
    except CheckpointError:
        raise
    except Exception as error:
        causes = list(error_causes(error))
        for cause in causes:
            if isinstance(cause, urllib.error.HTTPError):
                cause.close()  # it holds the connection open
        names = {cls.__name__ for cause in causes for cls in type(cause).__mro__}
        if "GatedRepoError" in names:
            raise PermissionError(
                f"The weights of {name!r} ({url}) are gated: accept the publisher's terms on their page, "
                "log in with `hf auth login`, and load again."
            ) from error
        if not names & {"OSError", "HTTPError", "HfHubHTTPError", "TransportError"}:
            raise
        found = str(causes[-1]).strip(" .\n").splitlines() or [type(error).__name__]
        offline = " HF_HUB_OFFLINE is set: unset it to allow the network." if is_offline() else ""
        raise FileNotFoundError(
            f"Cannot fetch the weights of {name!r} ({url}): {reason or found[0]}.{offline} "
            'Download them on a machine with a network and pass weights="<file>", or name a local folder; '
            'weights="none" builds the network untrained.'
        ) from error


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Read the tensors of a `.safetensors` file or of a torch checkpoint.

    A checkpoint may nest the tensors (under "state_dict", "model", ...), and its keys may have the
    prefixes of DataParallel, torch.compile or a Lightning module's `model`; both are removed.  Objects
    other than tensors are ignored; no code of the file runs.

    Raises:
        FileNotFoundError: the file does not exist.
        CheckpointError: the file is damaged or holds no weights.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"`weights` must be a file of weights. Received {str(path)!r}, which is not a file."
        )
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        content = load_tensors(path)
    except Exception as error:  # SafetensorError, RuntimeError, UnpicklingError, EOFError, KeyError...
        kind = "safetensors" if isinstance(error, SafetensorError) else type(error).__name__
        # torch's own message, without its advice to read the file without restrictions.
        reason = str(error.__context__ or error).strip()
        raise CheckpointError(
            f"{path} is damaged, or is not a file of torch.save ({kind}: {reason[:200]}). Fetch it "
            "again, or convert it to .safetensors if you trust it."
        ) from error
    for _ in range(2):
        for key in NESTED_KEYS:
            if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
                content = content[key]
    if not isinstance(content, Mapping):
        raise CheckpointError(
            f"{path} holds a {type(content).__name__}, not the weights of a network. Save the network's "
            "`state_dict()` in its place."
        )
    weights = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    if not weights:
        raise CheckpointError(f"{path} holds no weights, only {sorted(map(str, content))[:5]}.")
    for prefix in WRAPPER_PREFIXES * 2:  # a wrapper may lie in another
        if all(key.startswith(prefix) for key in weights):
            weights = {key.removeprefix(prefix): value for key, value in weights.items()}
    return weights


def load_weights_strict(network: nn.Module, weights: Mapping[str, Tensor], source: str) -> None:
    """Load `weights` into `network`; all keys and shapes must match.

    `source` is the file for error messages.

    Raises:
        CheckpointError: keys are missing, left over, or of another shape; then nothing is loaded.
    """
    state = network.state_dict()
    if all(key.startswith(LIGHTNING_PREFIX) for key in state):
        # The network's own name, which `read_weights` has removed.
        weights = {LIGHTNING_PREFIX + key.removeprefix(LIGHTNING_PREFIX): weights[key] for key in weights}
    missing, unexpected = sorted(state.keys() - weights.keys()), sorted(weights.keys() - state.keys())
    mismatched = [
        f"{key} is {list(weights[key].shape)}, not {list(state[key].shape)}"
        for key in sorted(state.keys() & weights.keys())
        if weights[key].shape != state[key].shape
    ]
    if missing or unexpected or mismatched:
        raise CheckpointError(
            f"{source} does not fit {type(network).__name__}: {_summary('missing', missing)}, "
            f"{_summary('left over', unexpected)}, {_summary('of another shape', mismatched)}. Pass the "
            "file of exactly this network."
        )
    network.load_state_dict(dict(weights))


@contextmanager
def seeded_init(seed: int) -> Iterator[None]:
    """Seed the initialization of a network on the CPU in the body; torch's generator is restored."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would also seed CUDA
        yield


def _summary(kind: str, entries: list[Any]) -> str:
    return f"{len(entries)} {kind}" + (f" ({', '.join(map(str, entries[:3]))}, ...)" if entries else "")
