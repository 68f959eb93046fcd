"""Tables of the encoding benchmark.

`report`  tables of the results page, printed and written between their markers
"""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.tables import markdown, replace_section

__all__ = ["report"]

Row = Sequence[str]
BACKENDS = ("torch", "torch compiled", "torch bf16", "openvino", "openvino bf16", "torchrl")
N_ENVS = "16"


def report(rows: Sequence[Row], page: Path) -> None:
    """Print the tables of one machine's CPU and write them to the page."""
    cpu = [row for row in rows if "thread" in row[0]]
    for name, text in (
        ("backends", backends(cpu)),
        ("half precision", half_precision(cpu)),
        ("networks", networks(cpu)),
        ("wrapper", wrapper(cpu)),
        ("encoders", encoders(cpu)),
    ):
        print(f"\n## {name}\n\n{text}")
        replace_section(page, name, text)


def backends(rows: Sequence[Row]) -> str:
    """Return a line for each encoder, size and backend, with 16 environments."""
    lines = [["encoder", "input", "backend", "frames/s", "to eager", "to TorchRL", "cosine", "memory (MiB)"]]
    for _, encoder, case, backend, size, n, rate, eager, torchrl, cosine, _, memory in rows:
        if case in ("wrapper", "batch") and n == N_ENVS and backend in BACKENDS and size != "0":
            name = "TorchRL" if backend == "torchrl" else backend
            lines.append([encoder, size, name, rate, eager, torchrl, cosine, memory])
    return markdown(lines, 3)


def half_precision(rows: Sequence[Row]) -> str:
    """Return the fidelity of half precision for each encoder and size, with 16 environments."""
    lines = [["encoder", "input", "backend", "cosine", "cosine around the mean"]]
    for _, encoder, case, backend, size, n, *_, cosine, centered, _ in rows:
        if case == "wrapper" and n == N_ENVS and backend.endswith(("bf16", "fp16")) and size != "0":
            lines.append([encoder, size, backend, cosine, centered])
    return markdown(lines, 3)


def networks(rows: Sequence[Row]) -> str:
    """Return frames per second of the networks alone by library, with 16 environments."""
    names = ("torch", "openvino", "onnxruntime")
    rates: dict[tuple[str, str], dict[str, str]] = {}
    for _, encoder, case, backend, size, n, rate, *_ in rows:
        if case == "network" and n == N_ENVS:
            rates.setdefault((encoder, size), {})[backend] = rate
    lines = [["encoder", "input", *names]]
    lines += [[*key, *(found.get(name, "") for name in names)] for key, found in rates.items()]
    return markdown(lines, 2)


def wrapper(rows: Sequence[Row]) -> str:
    """Return frames per second of the cases of ResNet-18 by torch for both sizes, with 16 environments."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for _, encoder, case, backend, size, n, rate, eager, *_ in rows:
        if (encoder, backend, n) == ("resnet18", "torch", N_ENVS) and case != "network":
            found.setdefault(case, {})[size] = rate, eager
    sizes = sorted({size for rates in found.values() for size in rates}, key=int)
    lines = [["case", *(title for size in sizes for title in (f"frames/s at {size}", "to eager"))]]
    for case, rates in found.items():
        lines.append([case, *(cell for size in sizes for cell in rates.get(size, ("", "")))])
    return markdown(lines)


def encoders(rows: Sequence[Row]) -> str:
    """Return frames per second of each encoder at its own size, by torch and by OpenVINO."""
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        if row[4] == "0":
            found.setdefault(row[1], {})[row[3]] = row
    lines = [["encoder", "torch", "OpenVINO", "ratio"]]
    for encoder, by in found.items():
        rates = [by[name][6] if name in by else "" for name in ("torch", "openvino")]
        lines.append([encoder, *rates, by["openvino"][7] if "openvino" in by else ""])
    return markdown(lines)
