"""Bounds on the tensors that settings can ask for."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from rlpriors.build_budget import SPARE_BYTES, SPARE_TENSORS, BuildBudget, BuildBudgetError, MachineBudget

HUGE = 10**12  # numbers, 4 TB: an allocation of this size would fail with another error


@pytest.mark.parametrize(
    "create",
    [
        lambda: nn.Linear(10**6, 10**6),
        lambda: nn.Embedding(HUGE, 1),
        lambda: torch.zeros(HUGE),
        lambda: torch.zeros(HUGE, dtype=torch.uint8),
        lambda: torch.randn(10**6, 10**6),
        lambda: torch.full((10**6, 10**6), 2.0),
        lambda: torch.arange(HUGE),
        lambda: torch.arange(0, HUGE, 2),
        lambda: torch.linspace(0, 1, HUGE),
        lambda: torch.eye(10**6),
        lambda: torch.eye(10, 10**11),
        lambda: torch.randperm(HUGE),
        lambda: torch.ones(2).new_zeros(10**6, 10**6),
        lambda: torch.ones(2).new_full((HUGE,), 2),
    ],
)
def test_a_huge_tensor_is_never_allocated(create) -> None:
    with BuildBudget({}), pytest.raises(BuildBudgetError, match="settings must fit the weights"):
        create()


def test_many_small_tensors_are_bounded_too() -> None:
    with BuildBudget({}), pytest.raises(BuildBudgetError):
        nn.ModuleList(nn.Linear(1, 1) for _ in range(SPARE_TENSORS))
    numbers = SPARE_BYTES // 4 // 64
    with BuildBudget({}), pytest.raises(BuildBudgetError):
        [torch.empty(numbers) for _ in range(65)]


def test_weights_enlarge_the_budget() -> None:
    size = SPARE_BYTES // 4
    with BuildBudget({}):
        torch.empty(size)
    with BuildBudget({}), pytest.raises(BuildBudgetError):
        torch.empty(size + 1)
    with BuildBudget({"half": torch.zeros(100, dtype=torch.float16)}):
        torch.empty(size + 800)  # as floats of 32 bits, eight times


def test_a_small_file_cannot_fill_the_memory(tmp_path) -> None:
    """Peak memory of a process that loads a reward of 20 KB whose settings ask for 12 GB."""
    code = f"""
import json, resource, sys
from rlpriors.checkpoint import CheckpointError
from rlpriors.rewards import MLPReward, RewardSettings, load_reward
path = MLPReward(RewardSettings(obs_dim=3, act_dim=1)).save({str(tmp_path)!r}) / "config.json"
config = json.loads(path.read_text())
config["settings"]["hidden"] = [50_000, 50_000]
path.write_text(json.dumps(config))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    load_reward({str(tmp_path)!r}, device="cpu")
except CheckpointError as error:
    assert "BuildBudgetError: The settings must fit the weights" in str(error)
    sys.exit(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before > 50_000)
sys.exit(2)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("width", "needed"),
    [(2**40, r"a tensor of 17,592,186,044,416 bytes"), (2**64, r"a tensor of more than 2\*\*63 bytes")],
)
def test_the_memory_of_the_machine_bounds_new_modules(width: int, needed: str) -> None:
    message = rf"`width`, `depth` must be smaller for the memory.*Received width={width}, depth=3.*{needed}"
    with pytest.raises(BuildBudgetError, match=message), MachineBudget(width=width, depth=3):
        nn.Linear(4, width)


def test_other_errors_and_small_modules_pass_the_memory_bound() -> None:
    with MachineBudget(width=4):
        assert nn.Linear(4, 4)(torch.zeros(4)).shape == (4,)
    with pytest.raises(TypeError, match="unexpected keyword"), MachineBudget(width=4):
        nn.Linear(4, 4, name="x")  # type: ignore[call-arg]
