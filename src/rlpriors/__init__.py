"""Pretrained priors for reinforcement learning.

What an agent *sees* (encoders), *wants* (learned rewards) and *expects* (trajectory diffusion).
"""

from importlib.metadata import version

__version__ = version("rlpriors")
__all__ = ["__version__"]
