"""Benchmark of Atari frames per second, without EnvPool."""

from pathlib import Path

import pytest
from benchmarks.speed.atari_collection import COLUMNS, RESULTS, main
from benchmarks.tables import read_csv

pytest.importorskip("ale_py", reason="Atari comes with the extra `atari`")


def test_the_table_has_a_row_for_each_case(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n".join([",".join(COLUMNS), "another machine,envpool,84x84,8,1.0,1.0", ""]))
    main(["--n-envs", "1", "--threads", "--steps", "2", "--rounds", "1", "--csv", str(path)])
    rows = read_csv(path)
    assert rows[0][0] == "another machine"
    assert [row[1:4] for row in rows[1:]] == [
        ["single games", "210x160", "1"],
        ["single games", "84x84", "1"],
        ["gymnasium", "84x84", "1"],
    ]
    assert [float(row[5]) for row in rows[1:3]] == [1.0, 1.0]
    assert all(float(row[4]) > 0 for row in rows)


def test_the_published_table_compares_envpool() -> None:
    cases = {row[1].split(",")[0] for row in read_csv(RESULTS)}
    assert cases == {"single games", "gymnasium", "envpool"}
