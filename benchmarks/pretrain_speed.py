"""How many images a second does a method learn from on this machine?

    OMP_NUM_THREADS=1 python -m benchmarks.pretrain_speed

One core, noise for frames of the encoder's own size, the whole update: drawing, augmenting, both ways
through the network, AdamW.  CPU-seconds are this process's own, which another's work on the machine
slows a little but does not take; the best of three rounds counts.  Goes to
`results/pretrain_speed_<device>.csv`.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.tables import write_csv
from rlpriors.data.frames import FrameStore, FrameWriter
from rlpriors.device import resolve_device
from rlpriors.encoders import load_encoder
from rlpriors.representation import RECIPES, RepresentationLearner, TrainingSettings

RESULTS = Path(__file__).parent / "results"
COLUMNS = ["method", "encoder", "input", "batch_size", "images_per_cpu_second", "images_per_second"]
JOBS = [("mae", f"vit-{size}") for size in ("nano", "micro", "tiny")]
JOBS += [("i-jepa", "vit-nano"), ("vae", "nature-cnn"), ("simclr", "nature-cnn"), ("atc", "nature-cnn")]


def measure(
    method: str, network: str, store: FrameStore, device: torch.device, updates: int
) -> dict[str, object]:
    """A row: images are those of windows, whatever the number of views."""
    encoder = load_encoder(network, weights="none", device=device)
    settings = TrainingSettings(updates=1000, resident=device.type == "cuda")
    learner = RepresentationLearner(encoder, RECIPES[method](), store, settings)
    images = updates * learner.batch_size * learner.recipe.horizon
    learner.update()
    rounds = []
    for _ in range(3):
        start, cpu = time.perf_counter(), time.process_time()
        for _ in range(updates):
            learner.update()
        rounds.append((images / (time.process_time() - cpu), images / (time.perf_counter() - start)))
    size = "x".join(str(side) for side in encoder.spec.input_size)
    best = [round(max(column)) for column in zip(*rounds, strict=True)]
    return dict(zip(COLUMNS, [method, network, size, learner.batch_size, *best], strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--updates", type=int, default=4, help="in each of three rounds")
    arguments = parser.parse_args()
    device = resolve_device(arguments.device)
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for method, network in JOBS:
            side = load_encoder(network, weights="none", device="cpu").spec.input_size[0]
            place = Path(folder) / str(side)
            if not place.exists():
                with FrameWriter(place) as writer:
                    frames = np.random.default_rng(0).integers(0, 256, (1000, side, side, 3), np.uint8)
                    writer.add_episode(frames)
            row = measure(method, network, FrameStore.open(place), device, arguments.updates)
            rows.append(row)
            print(*row.values(), sep="  ", flush=True)
    numbers = ([row[name] for name in COLUMNS] for row in rows)
    write_csv(RESULTS / f"pretrain_speed_{device.type}.csv", COLUMNS, numbers)


if __name__ == "__main__":
    main()
