"""Saved rewards, priors, encoders and policies over skills: loading, model cards, the Hugging Face hub.

`from_pretrained`  saved model from a folder or from the hub
`push_to_hub`      upload of a model with its model card
`read_card`        text of a saved model's card
`refresh_card`     write the card of a saved model again
`add_provenance`   environment, data, metrics and command for a model that was saved without them
`Pretrained`       kinds of models that can be shared

`load_reward`, `load_prior`, `load_encoder` and `load_skills` accept "hf:<owner>/<name>", too, and return
their own kind.
"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import torch

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.diffusion.prior_card import prior_card
from rlpriors.agents.diffusion.prior_files import PRIOR, load_prior, save_prior
from rlpriors.agents.offline.zero_shot.files import SKILLS, load_skills, save_skills
from rlpriors.agents.offline.zero_shot.policy import SuccessorFeaturePolicy
from rlpriors.agents.offline.zero_shot.skills_card import skills_card
from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.encoders.load import load_encoder
from rlpriors.rewards.base import RewardModel, registered_names
from rlpriors.rewards.registry import load_reward
from rlpriors.sharing.card import CARD, Card, is_generated, render_card, write_card
from rlpriors.sharing.download import model_folder
from rlpriors.sharing.provenance import Provenance
from rlpriors.sharing.repository import HUB_PREFIX, is_repository, parse_repository
from rlpriors.sharing.upload import upload_model
from rlpriors.storage.module_files import CheckpointError, add_entries, read_config

__all__ = ["Pretrained", "add_provenance", "from_pretrained", "push_to_hub", "read_card", "refresh_card"]

Pretrained: TypeAlias = RewardModel | DiffuserPolicy | ImageEncoder | SuccessorFeaturePolicy
"""Models that can be shared: reward, planning policy with its prior, encoder, policy over skills."""


def from_pretrained(
    name: str | os.PathLike[str], *, device: str | torch.device = "auto", **options: Any
) -> Pretrained:
    """Load a reward, a prior, an encoder or a policy over skills that this library saved.

    Args:
        name: folder of the model; or "<owner>/<name>" or "<owner>/<name>@<revision>", a repository of the
            Hugging Face hub, which is downloaded once.  A local folder of that name has precedence.
        device: device of the model.
        options: further arguments of `load_prior` or `load_encoder`; other models have none.

    Raises:
        CheckpointError: a file is missing or damaged, or holds another kind of model.
        FileNotFoundError, PermissionError, ConnectionError: the hub cannot be read; the message has the fix.
        ImportError: `huggingface_hub` is not installed.

    Example:
        >>> from rlpriors.rewards import MLPReward, RewardSettings
        >>> folder = MLPReward(RewardSettings(obs_dim=3, act_dim=1)).save("reward")
        >>> from_pretrained("reward", device="cpu").obs_dim
        3
    """
    source = name.as_posix() if isinstance(name, Path) else os.fspath(name)
    if not Path(source).exists():
        source = f"{HUB_PREFIX}{source.removeprefix(HUB_PREFIX)}"
        if not is_repository(source.removeprefix(HUB_PREFIX).partition("@")[0]):
            raise CheckpointError(
                f"{name} is not a checkpoint: there is no such folder. Give a folder with config.json and "
                'model.safetensors, or "<owner>/<name>", a repository of the Hugging Face hub.'
            )
    folder = model_folder(source)
    kind = _kind(folder)
    if kind == "encoder":
        return load_encoder(source if source.startswith(HUB_PREFIX) else folder, device=device, **options)
    if kind == "prior":
        return load_prior(folder, device=device, **options)
    if kind == "skills":
        return load_skills(folder, device=device, **options)
    return load_reward(folder, device, **options)


def push_to_hub(
    model: Pretrained | str | os.PathLike[str],
    repository: str,
    *,
    private: bool = False,
    message: str | None = None,
    token: str | None = None,
) -> str:
    """Upload a saved model to the Hugging Face hub, and return its address.

    `config.json`, `model.safetensors` and the card are uploaded in one commit, and no other file.  The
    repository is created if it does not exist.  `from_pretrained(repository)` loads the model.

    Args:
        model: folder of a saved model, whose card has the environment, data and metrics that its command
            recorded; or the model itself, whose card has the facts of the model only.
        repository: `<owner>/<name>` on the hub.
        private: only the owner may read the repository.
        message: message of the commit.
        token: token of the hub with write access; by default that of `hf auth login` or HF_TOKEN.

    Raises:
        CheckpointError: the folder holds no complete model; nothing is uploaded.
        ValueError: the name is not `<owner>/<name>`, or `private` is True and the repository is public.
        FileNotFoundError, PermissionError, ConnectionError: the hub cannot be reached or refuses the upload.
        ImportError: `huggingface_hub` is not installed.
    """
    parse_repository(repository, "repository")
    if isinstance(model, str | os.PathLike):
        folder = Path(model)
        path = folder / CARD
        text = _read_text(path) if path.is_file() else ""
        if not text or is_generated(text):  # an edited card is uploaded unchanged
            text = render_card(_card(folder), read_config(folder), f"{HUB_PREFIX}{repository}")
        return upload_model(folder, repository, card=text, private=private, message=message, token=token)
    with TemporaryDirectory() as temporary:
        if isinstance(model, DiffuserPolicy):
            save_prior(model, temporary)
        elif isinstance(model, SuccessorFeaturePolicy):
            save_skills(model, temporary)
        else:
            model.save(temporary)
        return push_to_hub(temporary, repository, private=private, message=message, token=token)


def read_card(source: str | os.PathLike[str]) -> str:
    """Return the card of a saved model: its README.md, or the facts of the model if there is none.

    Args:
        source: folder of the model, or "hf:<owner>/<name>".

    Raises:
        CheckpointError: the folder holds no model that can be shared.

    Example:
        >>> from rlpriors.rewards import MLPReward, RewardSettings
        >>> folder = MLPReward(RewardSettings(obs_dim=3, act_dim=1)).save("reward")
        >>> "load_reward" in read_card(folder)
        True
    """
    folder = model_folder(source)
    config = read_config(folder)
    path = folder / CARD
    return _read_text(path) if path.is_file() else render_card(_card(folder), config)


def refresh_card(folder: str | os.PathLike[str], *, replace_edited: bool = False) -> Path:
    """Write the card of a saved model again, and return its path.

    Raises:
        CheckpointError: the folder holds no model that can be shared.
        ValueError: README.md was edited, or is not a card, and `replace_edited` is False.
    """
    path = Path(folder, CARD)
    if path.is_file() and not replace_edited and not is_generated(path.read_text(errors="replace")):
        raise ValueError(
            f"{path} must be a card without later edits. Received another text; delete it first."
        )
    return write_card(Path(folder), _card(Path(folder)), replace_edited=replace_edited)


def add_provenance(
    folder: str | os.PathLike[str], provenance: Provenance, *, trust_remote_code: bool = False
) -> Path:
    """Add environment, data, metrics and command to a saved model and its card; return the folder.

    Commands save a model before they evaluate it, and add the results at the end.  Encoders of torch.hub need
    `trust_remote_code`, as in `load_encoder`.

    Raises:
        CheckpointError: the folder holds no model that can be shared.

    Example:
        >>> from rlpriors.rewards import MLPReward, RewardSettings
        >>> folder = MLPReward(RewardSettings(obs_dim=3, act_dim=1)).save("reward")
        >>> "| gap | 0.25 |" in read_card(add_provenance(folder, Provenance(metrics={"gap": 0.25})))
        True
    """
    folder = Path(folder)
    contents = _card(folder, trust_remote_code)
    add_entries(folder, provenance.entries())
    write_card(folder, contents)
    return folder


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} must be text in UTF-8. Received other bytes ({error}); delete it."
        ) from error


def _kind(folder: Path) -> str:
    config = read_config(folder)
    if config["class"] == "ImageEncoder":
        return "encoder"
    if PRIOR in config:
        return "prior"
    if SKILLS in config:
        return "skills"
    if config["class"] in registered_names():
        return "reward"
    raise CheckpointError(
        f"{folder} must hold a reward, a prior, an encoder or a policy over skills. Received a "
        f"{config['class']}; other models are not shared."
    )


def _card(folder: Path, trust_remote_code: bool = False) -> Card:
    """Return the contents of a saved model's card; the model is loaded on the CPU."""
    if _kind(folder) == "encoder":
        options: dict[str, Any] = {"allow_noncommercial": True, "trust_remote_code": trust_remote_code}
        return load_encoder(folder, device="cpu", **options).card()
    if _kind(folder) == "prior":
        return prior_card(load_prior(folder, device="cpu"))
    if _kind(folder) == "skills":
        return skills_card(load_skills(folder, device="cpu"))
    return load_reward(folder, "cpu").card()
