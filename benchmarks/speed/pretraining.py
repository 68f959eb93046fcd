"""Speed of representation learning: training images per second of each method on this machine.

    OMP_NUM_THREADS=1 python -m benchmarks.speed.pretraining

One core; frames are noise of the encoder's input size.  An update includes drawing and augmenting the images,
forward and backward passes, and AdamW.  CPU seconds are those of this process, so other processes distort
them little.  The best of three rounds counts.  Results go to `results/pretrain_speed_<device>.csv`.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.tables import make_parser, write_csv
from rlpriors.data.frame_writer import FrameWriter
from rlpriors.data.frames import FrameStore
from rlpriors.device import resolve_device
from rlpriors.encoders import load_encoder
from rlpriors.representation import RECIPES, RepresentationLearner, TrainingSettings

RESULTS = Path(__file__).parents[1] / "results"
COLUMNS = ["method", "encoder", "input", "batch_size", "images_per_cpu_second", "images_per_second"]
CASES = [("mae", f"vit-{size}") for size in ("nano", "micro", "tiny")]
CASES += [("i-jepa", "vit-nano"), ("vae", "nature-cnn"), ("simclr", "nature-cnn"), ("atc", "nature-cnn")]


def measure(
    method: str, network: str, store: FrameStore, device: torch.device, updates: int
) -> dict[str, object]:
    """Return a row of the table.  An image that is augmented into several views counts once."""
    encoder = load_encoder(network, weights="none", device=device)
    settings = TrainingSettings(updates=1000, preload_to_device=device.type == "cuda")
    training = RepresentationLearner(encoder, RECIPES[method](), store, settings)
    images = updates * training.batch_size * training.recipe.horizon
    training.update()
    rounds = []
    for _ in range(3):
        start, cpu = time.perf_counter(), time.process_time()
        for _ in range(updates):
            training.update()
        rounds.append((images / (time.process_time() - cpu), images / (time.perf_counter() - start)))
    size = "x".join(str(side) for side in encoder.spec.input_size)
    best = [round(max(column)) for column in zip(*rounds, strict=True)]
    return dict(zip(COLUMNS, [method, network, size, training.batch_size, *best], strict=True))


def main() -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument("--device", default="cpu", help="device of the training")
    parser.add_argument("--updates", type=int, default=4, help="number of updates in each of three rounds")
    arguments = parser.parse_args()
    device = resolve_device(arguments.device)
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for method, network in CASES:
            side = load_encoder(network, weights="none", device="cpu").spec.input_size[0]
            store = Path(folder) / str(side)
            if not store.exists():
                with FrameWriter(store) as writer:
                    frames = np.random.default_rng(0).integers(0, 256, (1000, side, side, 3), np.uint8)
                    writer.add_episode(frames)
            row = measure(method, network, FrameStore.open(store), device, arguments.updates)
            rows.append(row)
            print(*row.values(), sep="  ", flush=True)
    values = ([row[name] for name in COLUMNS] for row in rows)
    write_csv(RESULTS / f"pretrain_speed_{device.type}.csv", COLUMNS, values)


if __name__ == "__main__":
    main()
