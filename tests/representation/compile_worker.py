"""Worker of test_compile.py: byol with a compiled network, and without.

Argument: a folder of frames.  In a process of its own, as what checks types while tests run would be
compiled too.
"""

import sys

import torch

from rlpriors.data.frames import FrameStore
from rlpriors.encoders import load_encoder
from rlpriors.representation import RECIPES, RepresentationLearner, TrainingSettings


def learner(folder: str, *, compile: bool) -> RepresentationLearner:
    size = (40, 40)
    encoder = load_encoder("nature-cnn", weights="none", input_size=size, device="cpu", compile=compile)
    settings = TrainingSettings(updates=4, batch_size=8)
    return RepresentationLearner(encoder, RECIPES["byol"](), FrameStore.open(folder), settings)


def main() -> None:
    torch.set_num_threads(1)
    plain, compiled = (learner(sys.argv[1], compile=compile) for compile in (False, True))
    first, expected = compiled.update(), plain.update()
    for name, value in expected.items():
        torch.testing.assert_close(first[name], value, atol=1e-5, rtol=1e-4, msg=name)

    average = compiled.model.target.average
    assert average is not None
    online, target = compiled.encoder, average.module.encoder
    before = [weight.clone() for weight in target.parameters()]
    second, expected = compiled.update(), plain.update()
    assert abs(second["loss"] / expected["loss"] - 1) < 2e-3  # Adam makes much of small differences
    kept = compiled.recipe.target.decay_at(0.5)
    for old, new, found in zip(before, online.parameters(), target.parameters(), strict=True):
        assert not torch.equal(old, found)
        torch.testing.assert_close(found, kept * old + (1 - kept) * new)

    # Each has a function of its own, over its own weights: those that it was compiled with, or moved since.
    assert online._compiled.keys() == target._compiled.keys() == {"forward"}
    with torch.no_grad():
        for weight in target.parameters():
            weight.mul_(1.1)
        x = torch.rand(16, 3, 40, 40)
        for encoder in (online, target):
            torch.testing.assert_close(encoder(x).global_, encoder.backbone(x).global_, atol=1e-5, rtol=1e-4)


if __name__ == "__main__":
    main()
