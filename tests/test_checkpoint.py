import json
import pickle
import resource
import signal
from dataclasses import dataclass

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

import rlpriors
from rlpriors.checkpoint import CheckpointError, load, load_resume, save, save_resume
from rlpriors.storage.checksum import append_checksum


@dataclass(frozen=True)
class TinySettings:
    inputs: int = 3
    hidden: tuple[int, ...] = (4,)


class Tiny(nn.Module):
    def __init__(self, settings):
        super().__init__()
        self.first = nn.Linear(settings.inputs, settings.hidden[0])
        self.register_buffer("scale", torch.full((settings.inputs,), 2.0))


def build(settings):
    return Tiny(TinySettings(**settings))


CLASSES = {"Tiny": build}


@pytest.fixture
def folder(tmp_path):
    return save(Tiny(TinySettings()), TinySettings(), tmp_path / "deep" / "tiny")


def change(folder, **entries):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


class TestPublished:
    def test_round_trip(self, tmp_path):
        module = Tiny(TinySettings(inputs=5))
        module.scale += 1
        loaded = load(save(module, TinySettings(inputs=5), tmp_path), CLASSES)
        assert isinstance(loaded, Tiny)
        for name, tensor in module.state_dict().items():
            assert torch.equal(loaded.state_dict()[name], tensor)

    def test_two_plain_files(self, folder):
        assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
        config = json.loads((folder / "config.json").read_text())
        assert config["class"] == "Tiny"
        assert config["settings"] == {"inputs": 3, "hidden": [4]}
        assert config["version"] == rlpriors.__version__
        assert set(safetensors.torch.load_file(folder / "model.safetensors")) == {
            "first.weight",
            "first.bias",
            "scale",
        }

    def test_saving_again_replaces(self, folder):
        save(Tiny(TinySettings(inputs=7)), TinySettings(inputs=7), folder)
        assert load(folder, CLASSES).first.in_features == 7

    def test_a_kill_before_the_configuration_is_renamed(self, folder, tmp_path):
        new = save(Tiny(TinySettings(inputs=7)), TinySettings(inputs=7), tmp_path / "new")
        (new / "config.json").rename(folder / ".config.json.next")
        assert load(folder, CLASSES).first.in_features == 3
        (new / "model.safetensors").rename(folder / "model.safetensors")
        assert load(folder, CLASSES).first.in_features == 7
        save(Tiny(TinySettings(inputs=5)), TinySettings(inputs=5), folder)
        assert load(folder, CLASSES).first.in_features == 5
        assert not (folder / ".config.json.next").exists()

    def test_shared_and_strided_weights(self, tmp_path):
        module = Tiny(TinySettings(inputs=4))
        module.first.weight = nn.Parameter(torch.arange(16.0).reshape(4, 4).T)
        module.scale = module.first.weight.detach()[0]
        loaded = load(save(module, TinySettings(inputs=4), tmp_path), CLASSES)
        assert loaded.scale.tolist() == [0, 4, 8, 12]
        assert torch.equal(loaded.first.weight, module.first.weight)

    def test_settings_that_are_no_json_leave_the_old_checkpoint(self, folder):
        with pytest.raises(TypeError, match="not JSON serializable"):
            save(Tiny(TinySettings(inputs=7)), TinySettings(hidden=(torch.device("cpu"),)), folder)
        assert load(folder, CLASSES).first.in_features == 3

    @pytest.mark.cuda
    def test_between_devices(self, tmp_path, cuda_device):
        folder = save(Tiny(TinySettings()).to(cuda_device), TinySettings(), tmp_path)
        assert load(folder, CLASSES).scale.device.type == "cpu"
        assert load(folder, CLASSES, device=cuda_device).scale.device.type == cuda_device


class TestPublishedDamage:
    @pytest.mark.parametrize("where", ["nowhere", "tiny/model.safetensors"])
    def test_no_checkpoint(self, folder, where):
        with pytest.raises(
            CheckpointError, match=r"is not a checkpoint: it has no config\.json. Give a folder"
        ):
            load(folder.parent / where, CLASSES)

    def test_no_weights(self, folder):
        (folder / "model.safetensors").unlink()
        with pytest.raises(CheckpointError, match=r"has no model\.safetensors"):
            load(folder, CLASSES)

    @pytest.mark.parametrize("keep", [0, 5, 60, -4])
    def test_cut_weights(self, folder, keep):
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:keep])
        with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged"):
            load(folder, CLASSES)

    def test_one_changed_number(self, folder):
        path = folder / "model.safetensors"
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
        with pytest.raises(CheckpointError, match=r"does not belong to.*fingerprints differ.*Copy both"):
            load(folder, CLASSES)

    @pytest.mark.parametrize("text", ["", "{", "\udcff"])
    def test_configuration_that_is_no_json(self, folder, text):
        (folder / "config.json").write_bytes(text.encode(errors="surrogateescape"))
        with pytest.raises(CheckpointError, match=r"config\.json is not JSON"):
            load(folder, CLASSES)

    @pytest.mark.parametrize("text", ["[]", "3", '{"class": "Tiny", "settings": {}}'])
    def test_configuration_that_lacks_entries(self, folder, text):
        (folder / "config.json").write_text(text)
        with pytest.raises(CheckpointError, match=r"is not of a checkpoint: it lacks \[.*'fingerprint'"):
            load(folder, CLASSES)

    @pytest.mark.parametrize("entry", [{"class": ["Tiny"]}, {"settings": [3]}])
    def test_configuration_of_wrong_types(self, folder, entry):
        change(folder, **entry)
        with pytest.raises(CheckpointError, match="it has no class and settings"):
            load(folder, CLASSES)

    def test_another_class(self, folder):
        with pytest.raises(CheckpointError, match=r"must be of one of \['Other'\]. Received 'Tiny'"):
            load(folder, {"Other": build})

    @pytest.mark.parametrize("settings", [{"inputs": 4}, {"sizes": 3}, {"hidden": "x"}])
    def test_settings_that_do_not_fit(self, folder, settings):
        change(folder, settings=settings, version="0.0.1")
        with pytest.raises(CheckpointError, match=r"does not fit Tiny of .*saved by rlpriors 0\.0\.1"):
            load(folder, CLASSES)

    def test_a_builder_that_misses_a_key(self, folder):
        with pytest.raises(CheckpointError, match=r"does not fit Tiny.*KeyError: 'width'"):
            load(folder, {"Tiny": lambda settings: settings["width"]})

    def test_a_pickle_is_never_opened(self, folder):
        (folder / "model.safetensors").write_bytes(pickle.dumps(Bomb()))
        with pytest.raises(CheckpointError, match="is damaged"):
            load(folder, CLASSES)
        assert not Bomb.exploded


class Bomb:
    exploded = False

    def __reduce__(self):
        return (setattr, (Bomb, "exploded", True))


class TestResume:
    def test_round_trip_goes_on_alike(self, tmp_path):
        def run(steps, state=None):
            module, rng = nn.Linear(2, 1), torch.Generator().manual_seed(0)
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
            optimizer, draws = torch.optim.Adam(module.parameters(), lr=0.1), np.random.default_rng(0)
            if state is not None:
                module.load_state_dict(state["module"])
                optimizer.load_state_dict(state["optimizer"])
                rng.set_state(state["rng"])
                draws.bit_generator.state = state["draws"]
            for _ in range(steps):
                optimizer.zero_grad()
                (module(torch.randn(4, 2, generator=rng)) - draws.normal()).pow(2).mean().backward()
                optimizer.step()
            return {
                "module": module.state_dict(),
                "optimizer": optimizer.state_dict(),
                "rng": rng.get_state(),
                "draws": draws.bit_generator.state,
                "step": steps,
            }

        save_resume(tmp_path / "run" / "resume.pt", run(3))
        state = load_resume(tmp_path / "run" / "resume.pt")
        assert state["step"] == 3
        assert torch.equal(run(2, state)["module"]["weight"], run(5)["module"]["weight"])

    @pytest.mark.parametrize("value", [np.zeros(3), np.float64(1.0), TinySettings(), lambda: None])
    def test_what_could_not_be_read_again_is_not_written(self, tmp_path, value):
        path = tmp_path / "resume.pt"
        save_resume(path, {"step": 1})
        with pytest.raises(TypeError, match="`state` must contain tensors, numbers, strings"):
            save_resume(path, {"deep": [{"value": value}]})
        assert load_resume(path) == {"step": 1}
        assert list(tmp_path.iterdir()) == [path]

    def test_missing(self, tmp_path):
        for path in (tmp_path / "resume.pt", tmp_path):
            with pytest.raises(CheckpointError, match=r"There is no .* to resume from. Start without"):
                load_resume(path)

    @pytest.mark.parametrize("keep", [0, 10, 300, -10])
    def test_cut(self, tmp_path, keep):
        path = tmp_path / "resume.pt"
        save_resume(path, {"weights": torch.zeros(50)})
        path.write_bytes(path.read_bytes()[:keep])
        with pytest.raises(CheckpointError, match=r"is damaged or is not a resume file.*Delete it"):
            load_resume(path)

    @pytest.mark.parametrize("bit", [0, 6, 30])
    def test_flipped_bit(self, tmp_path, bit):
        path = tmp_path / "resume.pt"
        save_resume(path, {"weights": torch.ones(1000)})
        data = bytearray(path.read_bytes())
        data[data.index(np.ones(100, np.float32).tobytes()) + 2000 + bit // 8] ^= 1 << bit % 8  # 6: 1 -> inf
        path.write_bytes(data)
        with pytest.raises(CheckpointError, match=r"is damaged or is not a resume file.*Delete it"):
            load_resume(path)

    @pytest.mark.parametrize("limit", [100, 5000])
    def test_a_full_disk_leaves_the_old_file(self, tmp_path, limit):
        path = tmp_path / "resume.pt"
        save_resume(path, {"step": 1})
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))  # a longer file fails like a full disk
        try:
            with pytest.raises(OSError, match=r"there is no space left for .*resume\.pt .*Free some space"):
                save_resume(path, {"weights": torch.zeros(3000), "step": 2})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert load_resume(path) == {"step": 1}
        assert list(tmp_path.iterdir()) == [path]

    @pytest.mark.parametrize("dump", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
    def test_foreign_code_does_not_run(self, tmp_path, dump):
        dump({"a": Bomb()}, tmp_path / "resume.pt")
        with pytest.raises(CheckpointError, match="is not a resume file"):
            load_resume(tmp_path / "resume.pt")
        assert not Bomb.exploded

    def test_another_kind_of_file(self, tmp_path):
        torch.save([1, 2], tmp_path / "resume.pt")
        append_checksum(tmp_path / "resume.pt")
        with pytest.raises(CheckpointError, match=r"must hold the state of a run\. Received a list"):
            load_resume(tmp_path / "resume.pt")

    def test_a_device_that_is_not_there_is_named(self, tmp_path, monkeypatch):
        save_resume(tmp_path / "resume.pt", {"x": torch.zeros(1)})
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
        with pytest.raises(ValueError, match=r"`device` must exist\. Received 'cuda'"):
            load_resume(tmp_path / "resume.pt", device="cuda")


def test_loading_leaves_the_random_state_unchanged(folder):
    state = torch.get_rng_state()
    load(folder, CLASSES)
    assert torch.equal(torch.get_rng_state(), state)
