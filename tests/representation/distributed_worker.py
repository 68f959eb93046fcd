"""Worker of test_distributed.py, started by torchrun in two processes.

Arguments: a folder of frames, a recipe, an encoder.
"""

import sys

import torch
from torch import distributed

from rlpriors.data.frames import FrameStore
from rlpriors.encoders import load_encoder
from rlpriors.representation import RECIPES, RepresentationLearner, TrainingSettings


def make(folder: str, recipe: str, network: str) -> RepresentationLearner:
    encoder = load_encoder(network, weights="none", input_size=(40, 40), device="cpu")
    settings = TrainingSettings(updates=4, batch_size=6, max_grad_norm=1e9)
    return RepresentationLearner(encoder, RECIPES[recipe](), FrameStore.open(folder), settings, n_actions=5)


def gradients(learner: RepresentationLearner) -> dict[str, torch.Tensor]:
    named = learner.model.named_parameters()
    return {name: p.grad.clone() for name, p in named if p.grad is not None}


def main() -> None:
    torch.set_num_threads(1)
    alone = make(*sys.argv[1:])
    halves = []
    for rank in range(2):  # by hand: the first update of each process, from the same weights
        alone.rank, alone.world_size = rank, 2
        start = {name: value.clone() for name, value in alone.model.state_dict().items()}
        batch = alone.clips.draw(6, 0, 0, rank=rank, world_size=2)
        with alone._seeded(0):
            alone.model(batch)["loss"].backward()
        halves.append(gradients(alone))
        alone.model.zero_grad()
        alone.model.load_state_dict(start)
    expected = {name: (halves[0][name] + halves[1][name]) / 2 for name in halves[0]}

    distributed.init_process_group("gloo")
    together = make(*sys.argv[1:])
    assert (together.rank, together.world_size) == (distributed.get_rank(), 2)
    first = together.update()
    found = gradients(together)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-5, rtol=1e-4, msg=name)
    losses = [0.0, 0.0]
    distributed.all_gather_object(losses, first["loss"])
    assert losses[0] != losses[1]  # each saw other windows
    for _ in range(3):
        together.update()
    mine = torch.cat([p.detach().flatten() for p in together.model.parameters()])
    others = [torch.empty_like(mine), torch.empty_like(mine)]
    distributed.all_gather(others, mine)
    assert torch.equal(others[0], others[1])
    assert not torch.equal(mine, torch.cat([p.detach().flatten() for p in alone.model.parameters()]))
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
