"""Network of flow policies."""

import math

import torch

from rlpriors.networks.flow_mlp import FlowMLP, time_waves


def test_waves_have_hand_worked_values() -> None:
    waves = time_waves(torch.tensor([0.25]))[0].tolist()
    half = math.sqrt(0.5)
    expected = [0.25, half, 0, -half, -1, half, 1, half, 0]
    torch.testing.assert_close(torch.tensor(waves), torch.tensor(expected), atol=1e-6, rtol=0)


def test_the_output_reads_every_input() -> None:
    torch.manual_seed(0)
    network = FlowMLP(2, 4, (16,))
    assert network(torch.ones(3, 4), torch.zeros(3), torch.ones(3), torch.ones(3, 2)).abs().sum() == 0
    torch.nn.init.normal_(network.net[-1].weight)
    inputs = [torch.ones(3, 4), torch.full((3,), 0.2), torch.full((3,), 0.7), torch.ones(3, 2)]
    before = network(*inputs)
    for i in range(4):
        changed = [x + 0.1 * (i == j) for j, x in enumerate(inputs)]
        assert not torch.allclose(network(*changed), before)
