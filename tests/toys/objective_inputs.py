"""Inputs of reward learning objectives, made from an algorithm and its demonstrations."""

import torch

from rlpriors.agents import DiffusionIRL
from rlpriors.agents.irl.objectives import ObjectiveInput
from rlpriors.types import Window


def objective_input(algorithm: DiffusionIRL, window: Window) -> ObjectiveInput:
    """Create the input of the first update for these raw demonstrated windows, without prior data."""
    return ObjectiveInput(
        policy=algorithm.policy,
        online=algorithm.online,
        averaged=algorithm.reward,
        window=window,
        expert=algorithm.policy.layout.pack(window),
        sample_prior_data=None,
        generator=torch.Generator().manual_seed(0),
        step=0,
    )
