"""Configurations of transformers networks.

`config_fields`           fields of a configuration that define the network
`check_implementations`   check that a configuration names no code of a repository
`import_transformers`     import of transformers, next to any torchvision
"""

import inspect
from collections.abc import Mapping
from typing import Any

from rlpriors.encoders.backbones.torchvision_shim import ensure_torchvision
from rlpriors.extras import missing_extra

__all__ = ["check_implementations", "config_fields", "import_transformers"]


def check_implementations(config: Any, name: str) -> None:
    """Check that no entry of a `config.json` selects an implementation from a repository.

    transformers downloads and runs the code of such a repository.  `name` is the encoder's name for error
    messages.

    Raises:
        ValueError: an entry such as `_attn_implementation` names a repository.
    """
    for key, value in config.items():
        if isinstance(value, Mapping):
            check_implementations(value, name)
        elif str(key).endswith("implementation") and not (value is None or str(value).isidentifier()):
            raise ValueError(
                f"`{key}` in the config.json of {name!r} must be an implementation of transformers. Received "
                f"{value!r}, whose code would be downloaded and run. Remove the entry from a local copy."
            )


def config_fields(config_class: Any) -> set[str]:
    """Return the names of the fields that define a network, without those that all configurations have."""
    base = next(cls for cls in config_class.__mro__ if cls.__name__ == "PreTrainedConfig")
    names = set(inspect.signature(config_class.__init__).parameters)
    # Derived fields, which some configurations write too.
    names |= {"hidden_size", "intermediate_size", "num_layers", "out_features", "out_indices", "stage_names"}
    return {
        name for name in names - set(inspect.signature(base.__init__).parameters) if not name.startswith("_")
    }


def import_transformers() -> Any:
    """Import transformers, also next to a torchvision that does not match torch.

    Raises:
        ImportError: transformers is not installed; the message names the extra to install.
    """
    ensure_torchvision()
    try:
        import transformers
    except ImportError as error:
        raise ImportError(missing_extra(f"This encoder needs transformers ({error})", "vision")) from error
    return transformers
