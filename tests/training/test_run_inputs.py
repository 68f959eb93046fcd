import json

import pytest

from rlpriors.checkpoint import CheckpointError
from rlpriors.training.run_inputs import check_run_inputs


def test_a_changed_file_is_refused(tmp_path):
    check_run_inputs(tmp_path, {"frames": ["a", "b"], "encoder": "c"})
    check_run_inputs(tmp_path, {"frames": ["a", "b"], "encoder": "c"})
    with pytest.raises(CheckpointError, match=r"encoder 'c' \(now 'd'\): the content has changed.*new run"):
        check_run_inputs(tmp_path, {"frames": ["a", "b"], "encoder": "d"})
    assert json.loads((tmp_path / "inputs.json").read_text())["encoder"] == "c"


def test_a_run_of_an_earlier_version_gets_them(tmp_path):
    check_run_inputs(tmp_path, {"frames": "a"})
    check_run_inputs(tmp_path, {"encoder": "c"})
    with pytest.raises(CheckpointError, match="frames 'a'"):
        check_run_inputs(tmp_path, {"frames": "b", "encoder": "c"})


@pytest.mark.parametrize("text", ["{", "[1]", "3"])
def test_a_damaged_file_is_refused(text, tmp_path):
    (tmp_path / "inputs.json").write_text(text)
    with pytest.raises(CheckpointError, match="damaged"):
        check_run_inputs(tmp_path, {"frames": "a"})
