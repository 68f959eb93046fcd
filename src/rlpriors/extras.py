"""Commands that install the optional packages of an extra.

`install_command`  command that adds an extra to this installation
`missing_extra`    message on a package that an extra installs
"""

import shlex
from pathlib import Path

__all__ = ["install_command", "missing_extra"]


def install_command(extra: str) -> str:
    """Return the command that adds an extra to this installation, from any folder.

    Code that runs from a checkout names the checkout, and an installed wheel names the package.

    Example:
        >>> install_command("maze").startswith("pip install ")
        True
    """
    checkout = Path(__file__).parents[2]
    if not (checkout / "pyproject.toml").is_file():
        return f'pip install "rlpriors[{extra}]"'
    return f"pip install -e {shlex.quote(f'{checkout}[{extra}]')}"


def missing_extra(purpose: str, extra: str) -> str:
    """Return an error's message: the purpose, the missing packages and the command that installs them.

    Args:
        purpose: beginning of the sentence, such as "HDF5 files need h5py".
        extra: extra of this package that installs what is missing.

    Example:
        >>> missing_extra("HDF5 files need h5py", "offline").startswith("HDF5 files need h5py: pip install ")
        True
    """
    return f"{purpose}: {install_command(extra)}"
