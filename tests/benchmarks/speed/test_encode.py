"""Benchmark of encoding speed: cases with the same weights, ratios within a run, and the page."""

from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.speed import encode, encode_report
from benchmarks.speed.encode_cases import Case, ReplayVectorEnv, make_job, make_noise, save_encoder
from benchmarks.tables import read_csv

CPU = torch.device("cpu")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_case_has_a_row_and_repeated_cases_replace_theirs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino", reason="needs the `openvino` extra")
    file = tmp_path / "encode.csv"
    other = ["another machine", "resnet18", "wrapper", "torch", "32", "2", "1.0", "1.000", *[""] * 4]
    file.write_text("\n".join([",".join(encode.COLUMNS), ",".join(other), ""]))
    options = ["--sizes", "32", "--n-envs", "2", "--rounds", "1", "--frames", "noise", "--no-compile"]
    options += ["--no-memory", "--csv", str(file), "--device", "cpu"]
    encode.main([*options, "--groups", "backends", "wrapper"])
    rows = read_csv(file)
    assert rows[0] == other
    keys = {tuple(row[1:4]) for row in rows[1:]}
    assert {("resnet18", "wrapper", "torch"), ("resnet18", "network", "openvino")} <= keys
    assert ("efficientnet-lite0", "wrapper", "torch bf16") in keys
    assert ("resnet18", "stack 4, each frame once", "torch") in keys
    for _, encoder, case, backend, _, _, rate, eager, _, cosine, centered, _ in rows[1:]:
        assert float(rate) > 0
        assert float(eager) == 1 or (case, backend) != ("wrapper", "torch")
        if backend in ("torch", "openvino") and cosine:
            assert float(cosine) > 0.9999, (encoder, case, backend)
            assert float(centered) > 0.999, (encoder, case, backend)
    n_rows = len(rows)
    encode.main([*options, "--groups", "wrapper"])
    assert len(read_csv(file)) == n_rows
    capsys.readouterr()
    monkeypatch.setattr(encode, "PAGE", tmp_path / "speed.md")
    (tmp_path / "speed.md").write_text("<!-- wrapper -->\n<!-- end of wrapper -->\n")
    encode.main(["--csv", str(file), "--report"])
    assert "| backend | frames/s | to eager |" in capsys.readouterr().out
    assert "| case |" in (tmp_path / "speed.md").read_text()


def test_the_stack_of_a_case_has_four_frames(tmp_path: Path) -> None:
    frames = make_noise(8)
    folder = save_encoder("resnet18", 32, frames, tmp_path / "encoder")
    job = make_job(Case("resnet18", "stack 4, each frame once", "torch", 32, 2), folder, frames, CPU)
    assert job is not None
    assert job.run().shape == (2, 4 * 512)
    with pytest.raises(ValueError, match=r"`case` must be a known one. Received 'stack 5'"):
        make_job(Case("resnet18", "stack 5", "torch", 32, 2), folder, frames, CPU)


def test_cosines_are_the_smallest_over_frames() -> None:
    expected = torch.tensor([[1.0, 0.0], [1.0, 2.0]])
    found = torch.tensor([[1.0, 0.0], [2.0, 1.0]])
    # (1, 2) and (2, 1): 4 / 5; around the mean (1, 1): (0, 1) and (1, 0): 0
    assert encode.compare(found, expected) == ("0.80000", "0.00000")


def test_tables_show_one_machines_cpu() -> None:
    def row(encoder: str, case: str, backend: str, size: int, rate: float, n: int = 16) -> list[str]:
        numbers = [f"{rate}", "2.000", "2.500", "0.99990", "0.99900", "700"]
        return ["x86_64, 1 thread(s)", encoder, case, backend, str(size), str(n), *numbers]

    rows = [
        row("resnet18", "wrapper", "openvino", 84, 300.0),
        row("resnet18", "wrapper", "openvino", 84, 200.0, n=1),
        row("resnet18", "batch", "torchrl", 84, 120.0),
        row("resnet18", "network", "onnxruntime", 84, 290.0),
        row("nature-cnn", "wrapper", "openvino", 0, 900.0),
        row("resnet18", "wrapper", "openvino bf16", 84, 400.0),
    ]
    assert "| resnet18 | 84 | openvino | 300.0 | 2.000 | 2.500 | 0.99990 | 700 |" in encode_report.backends(
        rows
    )
    assert "| resnet18 | 84 | TorchRL | 120.0 |" in encode_report.backends(rows)
    assert "nature-cnn" not in encode_report.backends(rows)
    assert "| resnet18 | 84 | openvino bf16 | 0.99990 | 0.99900 |" in encode_report.half_precision(rows)
    assert "| resnet18 | 84 |  |  | 290.0 |" in encode_report.networks(rows)
    assert "| nature-cnn |  | 900.0 | 2.000 |" in encode_report.encoders(rows)


def test_the_replayed_environments_start_apart() -> None:
    frames = np.arange(10, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    envs = ReplayVectorEnv(frames, 2)
    assert [int(frame[0, 0, 0]) for frame in envs.reset()[0]] == [0, 5]
    assert [int(frame[0, 0, 0]) for frame in envs.step(None)[0]] == [1, 6]
