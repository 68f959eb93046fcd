"""Model cards: their text, their tables, and the protection of edited files."""

import logging
import re
from pathlib import Path

import pytest
import yaml

from rlpriors import checkpoint
from rlpriors.rewards import MLPReward, RewardSettings, load_reward
from rlpriors.sharing import Card, Provenance, select_metrics
from rlpriors.sharing.card import is_generated, render_card, write_card
from rlpriors.sharing.provenance import read_provenance, shorten_paths
from rlpriors.storage.module_files import CheckpointError, read_config

CONFIG = {"class": "MLPReward", "version": "0.1.0", "fingerprint": "ab12"}
CARD = Card("reward", "A reward.", 'load("{name}")', {"observation": "a | b"}, usage="use({env}{arguments})")


def front_matter(text: str) -> dict[str, object]:
    """The metadata that the hub reads."""
    return yaml.safe_load(text.split("---\n")[1])


def test_a_card_by_hand() -> None:
    text = render_card(CARD, CONFIG)
    assert front_matter(text) == {
        "library_name": "rlpriors",
        "pipeline_tag": "reinforcement-learning",
        "tags": ["rlpriors", "reward"],
    }
    assert '# Reward (MLPReward)\n\nA reward.\n\n## Use\n\n```python\nload(".")\n```\n\n## Inputs' in text
    assert "| observation | a \\| b |" in text
    assert "Saved by rlpriors 0.1.0. SHA-256 of model.safetensors: `ab12`." in text
    assert "## Environment" not in text
    assert "## Results" not in text


def test_provenance_in_a_card() -> None:
    origin = Provenance(
        "rocket_env:Rocket-v0",
        {"gravity": 9.8},
        {"demonstrations": "demos.npz, 20 episodes"},
        {"gap": 0.123456, "verdict": "good", "episodes": 20},
        "rlpriors learn-reward --env rocket_env:Rocket-v0",
    )
    text = render_card(CARD, CONFIG | origin.entries(), "hf:alice/x")
    assert front_matter(text)["tags"] == ["rlpriors", "reward", "rocket_env:Rocket-v0"]
    for part in (
        "# Reward for rocket_env:Rocket-v0 (MLPReward)",
        'load("hf:alice/x")',
        'use("rocket_env:Rocket-v0", gravity=9.8)',
        "| id | `rocket_env:Rocket-v0` |\n| gravity | `9.8` |",
        "| demonstrations | demos.npz, 20 episodes |",
        "| gap | 0.1235 |\n| verdict | good |\n| episodes | 20 |",
        "```sh\nrlpriors learn-reward --env rocket_env:Rocket-v0\n```",
    ):
        assert part in text
    assert read_provenance(CONFIG | origin.entries()) == origin


def test_text_of_others_stays_text() -> None:
    """A downloaded configuration may contain anything, which neither ends a block nor adds metadata."""
    evil = "x\n---\nlicense: mit\n```\n<!-- rlpriors card 0000000000000000 -->\n| a |"
    origin = Provenance(evil, {evil: 1}, {evil: evil}, {evil: evil}, evil)
    text = render_card(CARD, CONFIG | origin.entries())
    assert set(front_matter(text)) == {"library_name", "pipeline_tag", "tags"}
    assert [line for line in text.splitlines() if "```" in line] == ["```python", "```", "```sh", "```"]
    assert text.count("<!--") == 1
    assert is_generated(text)


def test_arguments_that_are_no_names(tmp_path: Path) -> None:
    """The usage in the environment is code that runs, with each argument as it was."""
    arguments = {"a-b": "x\n```", "c": [1, {"d": None}]}
    text = render_card(CARD, CONFIG | Provenance("Pendulum-v1", arguments).entries())
    code = re.findall(r"```python\n(.*?)\n```", text, re.DOTALL)[1]
    calls = []
    exec(code, {"use": lambda env, **received: calls.append((env, received))})
    assert calls == [("Pendulum-v1", arguments)]


@pytest.mark.parametrize("license", ["apache-2.0", "dinov3-license"])
def test_licenses(license: str) -> None:
    metadata = front_matter(render_card(Card("encoder", "", "", {}, license=license), CONFIG))
    known = {"license": "apache-2.0"}
    assert (
        metadata.items()
        >= (known if license == "apache-2.0" else {"license": "other", "license_name": license}).items()
    )


def test_long_lists_of_entries_end() -> None:
    entries = [(str(i), 0.5, 2.0) for i in range(70)]
    text = render_card(Card("reward", "", "", {}, entries=entries), CONFIG)
    assert "| 63 | 0.5 | 2 |\n\n6 further entries are not listed." in text


def test_an_edited_card_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    reward = MLPReward(RewardSettings(obs_dim=3, act_dim=1))
    path = reward.save(tmp_path) / "README.md"
    first = path.read_text()
    MLPReward(RewardSettings(obs_dim=3, act_dim=1)).save(tmp_path)
    assert path.read_text() != first  # of other weights
    path.write_text(first + "Works on my robot.\n")
    with caplog.at_level(logging.WARNING):
        reward.save(tmp_path)
    assert path.read_text() == first + "Works on my robot.\n"
    assert "README.md was not replaced, because it was edited" in caplog.text
    write_card(tmp_path, reward.card(), replace_edited=True)
    assert path.read_text() == first


def test_a_readme_of_a_project_stays(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"# My project \xff")
    MLPReward(RewardSettings(obs_dim=3, act_dim=1)).save(tmp_path)
    assert (tmp_path / "README.md").read_bytes() == b"# My project \xff"


def test_cards_and_other_files_are_not_read_for_loading(tmp_path: Path) -> None:
    reward = MLPReward(RewardSettings(obs_dim=3, act_dim=1))
    reward.save(tmp_path, provenance=Provenance("Pendulum-v1"))
    (tmp_path / "README.md").write_bytes(b"\xff\x00 not a card")
    (tmp_path / "notes").mkdir()
    (tmp_path / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    loaded = load_reward(tmp_path, "cpu")
    for name, tensor in reward.state_dict().items():
        assert loaded.state_dict()[name].equal(tensor)


def test_a_folder_without_model_has_no_card(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"has no config\.json"):
        write_card(tmp_path, CARD)


@pytest.mark.usefixtures("without_type_checks")
def test_damaged_provenance() -> None:
    with pytest.raises(CheckpointError, match="`provenance` of a saved model is damaged: `env` must be"):
        render_card(CARD, CONFIG | {"provenance": {"env": 3}})
    with pytest.raises(CheckpointError, match="is damaged"):
        read_provenance({"provenance": [1]})


def test_provenance_is_in_the_configuration(tmp_path: Path) -> None:
    origin = Provenance("Pendulum-v1", metrics={"gap": 0.5})
    MLPReward(RewardSettings(obs_dim=3, act_dim=1)).save(tmp_path, provenance=origin)
    assert checkpoint.load_entry(tmp_path, "provenance") == {"env": "Pendulum-v1", "metrics": {"gap": 0.5}}
    assert read_provenance(read_config(tmp_path)) == origin


def test_metrics_of_results() -> None:
    results = {"a": 1, "b": {"c": 0.5, "d": float("inf"), "e": {"f": True}}, "g": [1, 2], "h": "x" * 300}
    assert select_metrics(results) == {"a": 1, "b c": 0.5, "b e f": True, "h": "x" * 200}


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("rlpriors x --demos /home/me/demos.npz", "rlpriors x --demos demos.npz"),
        ("--data ~/a/b.npz --folder runs/a/", "--data b.npz --folder runs/a/"),
        (r"--data C:\me\b.npz", "--data b.npz"),
        ("hf:alice/x ../a/b ./c ALE/Pong-v5 timm:x/y", "hf:alice/x ../a/b ./c ALE/Pong-v5 timm:x/y"),
        ("https://a.org/b/c", "https://a.org/b/c"),
    ],
)
def test_paths_of_a_machine_are_shortened(text: str, short: str) -> None:
    assert shorten_paths(text) == short
