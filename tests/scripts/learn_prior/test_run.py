"""`rlpriors learn-prior` and then `rlpriors plan`, at a tiny size."""

import json
import sys

import pytest
from run_page import expected_rows, results_on_page

from rlpriors.data import EpisodeStore
from rlpriors.rewards import MLPReward, RewardSettings
from rlpriors.scripts.main import main


def command(monkeypatch, *args: str) -> None:
    monkeypatch.setattr(sys, "argv", ["rlpriors", *args])
    main()


def test_a_prior_is_learned_and_plans(tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    args = ("learn-prior", "--env", "puck_env:Puck-v0", "--collect", "random:400", "--device", "cpu")
    args = (*args, "--prior-updates", "20", "--checkpoint-every", "10", "--folder", str(run))
    command(monkeypatch, *args)
    assert capsys.readouterr().out.splitlines()[-1] == str(run)
    assert 0 <= json.loads((run / "results.json").read_text())["coverage"] <= 1
    assert results_on_page(run) == expected_rows(run)
    before = (run / "prior/model.safetensors").read_bytes()
    command(monkeypatch, *args, "--resume")
    assert (run / "prior/model.safetensors").read_bytes() == before

    keys = ("position", "velocity", "wind")
    MLPReward(RewardSettings(obs_dim=5, act_dim=2, obs_keys=keys)).save(tmp_path / "reward")
    plan = ("plan", "--prior", str(run / "prior"), "--env", "puck_env:Puck-v0", "--device", "cpu")
    plan = (*plan, "--n-episodes", "2", "--n-steps", "2", "--n-candidates", "2")
    command(monkeypatch, *plan, "--reward", str(tmp_path / "reward"), "--folder", str(tmp_path / "plan"))
    results = json.loads((tmp_path / "plan/results.json").read_text())
    assert results["true_return"] < 0
    assert results["learned_return_error"] >= 0
    assert EpisodeStore.load(tmp_path / "plan/episodes.safetensors").lengths.tolist() == [80, 80]
    command(monkeypatch, *plan, "--folder", str(tmp_path / "alone"))
    assert "learned_return" not in json.loads((tmp_path / "alone/results.json").read_text())
    MLPReward(RewardSettings(obs_dim=4, act_dim=2)).save(tmp_path / "other")
    with pytest.raises(
        SystemExit, match=r"`--reward` must read observations of 5 entries.* Received one of 4"
    ):
        command(monkeypatch, *plan, "--reward", str(tmp_path / "other"), "--folder", str(tmp_path / "b"))
    assert not (tmp_path / "b").exists()
    with pytest.raises(SystemExit, match=r"no config\.json\. .* such as .*run/prior"):
        command(monkeypatch, *plan, "--reward", str(run))
    with pytest.raises(SystemExit, match="action space of the prior"):
        command(monkeypatch, *plan[:3], "--env", "Pendulum-v1", *plan[5:])


def test_bad_data_names_the_flag(tmp_path, monkeypatch):
    args = ("learn-prior", "--env", "puck_env:Puck-v0", "--data", "none.npz", "--folder", str(tmp_path / "r"))
    with pytest.raises(SystemExit, match=r"--data: There is no file none\.npz"):
        command(monkeypatch, *args)
