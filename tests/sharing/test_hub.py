"""Upload and download through the real client of the Hugging Face hub, and a server on this machine."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import READER, HubServer, Repository, use_hub

from rlpriors.rewards import MLPReward, RewardSettings, load_reward
from rlpriors.sharing.download import download_model, model_folder
from rlpriors.sharing.upload import upload_model
from rlpriors.storage.module_files import CheckpointError

NAME = "alice/reacher-reward"


def changed(content: bytes) -> bytes:
    """The content with another last byte."""
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    with HubServer() as server:
        use_hub(monkeypatch, server.url, tmp_path / "cache")
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return MLPReward(RewardSettings(obs_dim=3, act_dim=1)).save(tmp_path / "reward")


def test_three_files_travel_and_no_other_one(hub: HubServer, folder: Path) -> None:
    (folder / "secrets.txt").write_text("mine")
    url = upload_model(folder, NAME, card="My card.", message="First version")
    assert url == f"{hub.url}/{NAME}"
    repository = hub.repositories[NAME]
    assert repository.files() == {
        "config.json": (folder / "config.json").read_bytes(),
        "model.safetensors": (folder / "model.safetensors").read_bytes(),
        "README.md": b"My card.",
    }
    assert repository.messages == ["First version"]
    repository.commit({"pytorch_model.bin": b"evil", "../../evil": b"evil", "code.py": b"evil"})
    local = download_model(NAME)
    assert hub.downloads() == ["README.md", "config.json", "model.safetensors"]
    assert sorted(path.name for path in local.iterdir()) == hub.downloads()
    assert load_reward(f"hf:{NAME}", "cpu").obs_dim == 3


def test_a_model_is_downloaded_once_and_a_new_commit_again(hub: HubServer, folder: Path) -> None:
    upload_model(folder, NAME, card="")
    first = download_model(NAME)
    hub.requests.clear()
    assert download_model(NAME) == first
    assert not [request for request in hub.requests if request.startswith("GET")]
    MLPReward(RewardSettings(obs_dim=4, act_dim=1)).save(folder)
    upload_model(folder, NAME, card="")
    assert load_reward(model_folder(f"hf:{NAME}"), "cpu").obs_dim == 4
    assert load_reward(f"hf:{NAME}@{first.name}", "cpu").obs_dim == 3
    with pytest.raises(FileNotFoundError, match="no such revision"):
        download_model(NAME, "v2")


def test_a_repository_without_card(hub: HubServer, folder: Path) -> None:
    files = {file: (folder / file).read_bytes() for file in ("config.json", "model.safetensors")}
    hub.repositories[NAME] = Repository()
    hub.repositories[NAME].commit(files)
    assert load_reward(download_model(NAME), "cpu").obs_dim == 3


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "README.md"])
def test_a_damaged_download_is_refused_and_forgotten(hub: HubServer, folder: Path, file: str) -> None:
    upload_model(folder, NAME, card="My card.")
    hub.alter = lambda name, content: changed(content) if name == file else content
    with pytest.raises(CheckpointError, match=f"{file} of the repository 'alice/reacher-reward' was damaged"):
        download_model(NAME)
    hub.alter = lambda name, content: content
    local = download_model(NAME)
    assert (local / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()


def test_weights_of_another_model_are_refused(hub: HubServer, folder: Path, tmp_path: Path) -> None:
    upload_model(folder, NAME, card="")
    other = MLPReward(RewardSettings(obs_dim=3, act_dim=1)).save(tmp_path / "other")
    hub.repositories[NAME].commit({"model.safetensors": (other / "model.safetensors").read_bytes()})
    with pytest.raises(CheckpointError, match="fingerprints differ"):
        load_reward(f"hf:{NAME}", "cpu")


def test_a_pickle_is_not_read(hub: HubServer) -> None:
    hub.repositories[NAME] = Repository()
    hub.repositories[NAME].commit({"pytorch_model.bin": b"cos\nsystem\n(S'true'\ntR."})
    with pytest.raises(CheckpointError, match="not a model that rlpriors saved"):
        load_reward(f"hf:{NAME}", "cpu")
    assert hub.downloads() == ["config.json"]


def test_a_damaged_folder_is_not_uploaded(hub: HubServer, folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(changed(weights.read_bytes()))
    with pytest.raises(CheckpointError, match="fingerprints differ"):
        upload_model(folder, NAME, card="")
    assert hub.requests == []


def test_private_and_gated_repositories(
    hub: HubServer, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    upload_model(folder, NAME, card="", private=True)
    assert hub.repositories[NAME].private
    assert download_model(NAME).is_dir()
    for token in (READER, None):
        use_hub(monkeypatch, hub.url, tmp_path / f"cache-{token}", token)
        with pytest.raises(FileNotFoundError, match=r"not exist, or is private.*hf auth login.*HF_TOKEN"):
            download_model(NAME)
        with pytest.raises(PermissionError, match="a token with write access is needed"):
            upload_model(folder, "alice/new", card="")
    hub.repositories[NAME] = Repository(gated=True)
    with pytest.raises(PermissionError, match=r"gated\. Accept its terms"):
        download_model(NAME)


def test_private_upload_to_a_public_repository_is_refused(hub: HubServer, folder: Path) -> None:
    upload_model(folder, NAME, card="")
    with pytest.raises(
        ValueError, match="`private` must be False for 'alice/reacher-reward', which is public"
    ):
        upload_model(folder, NAME, card="", private=True)
    assert len(hub.repositories[NAME].commits) == 1


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An address where nothing answers."""
    with HubServer() as server:
        url = server.url
    use_hub(monkeypatch, url, tmp_path / "cache")


@pytest.mark.usefixtures("no_hub")
def test_a_download_from_an_unreachable_hub() -> None:
    with pytest.raises(ConnectionError, match=r"127\.0\.0\.1 is unreachable.*Check the network"):
        download_model(NAME)


@pytest.mark.usefixtures("no_hub")
def test_an_upload_to_an_unreachable_hub(folder: Path) -> None:
    with pytest.raises(ConnectionError, match=r"127\.0\.0\.1 is unreachable.*Check the network"):
        upload_model(folder, NAME, card="")


def test_offline(hub: HubServer, folder: Path, tmp_path: Path) -> None:
    """In a process of its own: the client reads its environment when it is imported."""
    upload_model(folder, NAME, card="")
    code = (
        "import sys; from rlpriors.sharing.download import download_model\n"
        "try: print(download_model(sys.argv[1]))\n"
        "except FileNotFoundError as error: print(error)"
    )

    def run(offline: str) -> str:
        environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": offline}
        environment |= {"HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1"}
        command = [sys.executable, "-c", code, NAME]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    assert "HF_HUB_OFFLINE is set, and the model is not in the cache. Unset it" in run("1")
    local = run("0").strip()
    hub.requests.clear()
    assert run("1").strip() == local
    assert json.loads(Path(local, "config.json").read_text())["class"] == "MLPReward"
    assert hub.requests == []


@pytest.mark.parametrize(
    "name",
    ["../../none", "alice", "a/b/c", "/etc/passwd", "alice/..", "alice/x@../../y", "alice/x@", "a b/c",
     "alice/-x", "alice/x.git", "alice/x--y", "alice/" + "x" * 97, "alice/x@a//b", "alice/x\n", "aliçe/x"],
)  # fmt: skip
def test_hostile_names_are_refused(hub: HubServer, folder: Path, name: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        model_folder(f"hf:{name}")
    with pytest.raises(ValueError, match="must be"):
        upload_model(folder, name, card="")
    assert hub.requests == []


def test_a_local_folder_has_precedence(hub: HubServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    MLPReward(RewardSettings(obs_dim=5, act_dim=1)).save(NAME)
    assert load_reward(f"hf:{NAME}", "cpu").obs_dim == 5
    assert load_reward(NAME, "cpu").obs_dim == 5
    assert hub.requests == []


def test_a_folder_that_does_not_exist_is_no_repository(hub: HubServer) -> None:
    """Names without prefix never lead to the network."""
    with pytest.raises(CheckpointError, match=r'no such folder. .* or "hf:runs/reward" for the repository'):
        load_reward("runs/reward", "cpu")
    assert hub.requests == []
