"""Where weights come from, and how they get into a network: all of them, or an error.

`download`          a published file, with a progress bar, kept for the next time
`explain_download`  one clear error for everything that goes wrong on the way to a hub
`read_weights`      the tensors of a safetensors file or a torch checkpoint; nothing is unpickled
`fill`              tensors into a network, all keys matching
`seeded`            the random start of an untrained network
"""

import os
import urllib.error
import urllib.request
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from tqdm import tqdm

from rlpriors.checkpoint import CheckpointError, write_atomically

__all__ = ["download", "explain_download", "fill", "is_offline", "read_weights", "seeded"]

NESTS = ("state_dict", "model_state_dict", "model", "teacher", "r3m", "vip")  # where files keep the tensors
WRAPPERS = ("module.", "_orig_mod.")  # what DataParallel and torch.compile put before each key


def is_offline() -> bool:
    """Whether the user forbade the network, by `HF_HUB_OFFLINE=1` as for the hub's own libraries."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def download(url: str, name: str, *, progress: bool = True) -> Path:
    """Fetch a published file into torch's cache folder; a file that is there already is used.

    `name` is the encoder's, for the error.

    Raises:
        FileNotFoundError: it is not there and the network is forbidden or cannot be reached.
    """
    # Files of different publishers share their last names ("model.pt"), so the whole address counts.
    path = Path(torch.hub.get_dir(), "rlpriors", *url.partition("://")[2].split("/"))
    if path.is_file():
        return path
    with explain_download(name, url):
        if is_offline():
            raise ConnectionError("the network is forbidden by HF_HUB_OFFLINE")
        with urllib.request.urlopen(url, timeout=30) as answer:
            total = int(answer.headers.get("Content-Length") or 0)

            def write(temporary: Path) -> None:
                done = 0
                with (
                    open(temporary, "wb") as file,
                    tqdm(total=total, unit="B", unit_scale=True, desc=name, disable=not progress) as bar,
                ):
                    while piece := answer.read(1 << 20):
                        file.write(piece)
                        bar.update(len(piece))
                        done += len(piece)
                if total and done != total:
                    raise ConnectionError(f"{done} of {total} bytes came")

            write_atomically(path, write)
    return path


@contextmanager
def explain_download(name: str, what: str) -> Iterator[None]:
    """Turn whatever a hub's library raises when it cannot fetch `what` into one clear error.

    Raises:
        FileNotFoundError: always, when the body fails to fetch.
        PermissionError: the publisher gives the weights only to those who accepted terms.
    """
    try:
        yield
    except CheckpointError:
        raise
    except Exception as error:
        chain = list(_chain(error))
        for link in chain:
            if isinstance(link, urllib.error.HTTPError):
                link.close()  # it holds the connection open
        names = {kind.__name__ for link in chain for kind in type(link).__mro__}
        if "GatedRepoError" in names:
            raise PermissionError(
                f"The weights of {name!r} ({what}) are gated: accept the publisher's terms on their page, "
                "log in with `hf auth login`, and load again."
            ) from error
        if not names & {"OSError", "HTTPError", "HfHubHTTPError", "TransportError"}:
            raise
        reason = str(chain[-1]).strip(" .\n").splitlines() or [type(error).__name__]
        offline = " HF_HUB_OFFLINE is set: unset it to allow the network." if is_offline() else ""
        raise FileNotFoundError(
            f"Cannot fetch the weights of {name!r} ({what}): {reason[0]}.{offline} Download them where "
            "there is a "
            'network and pass weights="<file>", or name a local folder; weights="none" builds the network '
            "untrained."
        ) from error


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Read the tensors of a `.safetensors` file or of a torch checkpoint.

    A checkpoint may keep them one level down (under "state_dict", "model", ...) and may carry the
    prefixes of DataParallel or torch.compile; both are taken away.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it is damaged, or holds more than tensors and plain data, which could run
            code when read.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"`weights` must be a file of weights. Received {str(path)!r}, which is none."
        )
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        # A Namespace of a training script's arguments stands in many published files; it is plain data.
        with torch.serialization.safe_globals([Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # SafetensorError, RuntimeError, UnpicklingError, EOFError, KeyError...
        kind = "safetensors" if isinstance(error, SafetensorError) else type(error).__name__
        raise CheckpointError(
            f"{path} is damaged, or holds more than tensors and plain data ({kind}: {str(error)[:200]}). "
            "Convert it to .safetensors where you trust it."
        ) from error
    for _ in range(2):
        for nest in NESTS:
            if isinstance(content, Mapping) and isinstance(content.get(nest), Mapping):
                content = content[nest]
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not the weights of a network.")
    weights = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    if not weights:
        raise CheckpointError(f"{path} holds no weights, only {sorted(map(str, content))[:5]}.")
    for prefix in WRAPPERS:
        if all(key.startswith(prefix) for key in weights):
            weights = {key.removeprefix(prefix): value for key, value in weights.items()}
    return weights


def fill(network: nn.Module, weights: Mapping[str, Tensor], what: str) -> None:
    """Load `weights` into `network`, where each key must have its counterpart of the same shape.

    Raises:
        CheckpointError: keys are missing, left over, or of another shape; nothing is loaded then.
    """
    wanted = network.state_dict()
    missing, left = sorted(wanted.keys() - weights.keys()), sorted(weights.keys() - wanted.keys())
    shapes = [
        f"{key} is {list(weights[key].shape)}, not {list(wanted[key].shape)}"
        for key in sorted(wanted.keys() & weights.keys())
        if weights[key].shape != wanted[key].shape
    ]
    if missing or left or shapes:
        raise CheckpointError(
            f"{what} does not fit {type(network).__name__}: {_some('missing', missing)}, "
            f"{_some('left over', left)}, {_some('of another shape', shapes)}. Give the file of this very "
            "network."
        )
    network.load_state_dict(dict(weights))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw the start of an untrained network from `seed`, and leave torch's global generator alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _some(what: str, entries: list[Any]) -> str:
    return f"{len(entries)} {what}" + (f" ({', '.join(map(str, entries[:3]))}, ...)" if entries else "")
