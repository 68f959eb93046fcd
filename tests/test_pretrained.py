"""Saved models travel to the hub and back, bit for bit, and their cards run."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from hub_server import HubServer, use_hub
from spot_env import Spot

from rlpriors import checkpoint
from rlpriors.agents import (
    DiffuserPolicy,
    SuccessorFeaturePolicy,
    TrajectoryLayout,
    ZeroShotSettings,
    load_prior,
    load_skills,
    save_prior,
    save_skills,
)
from rlpriors.data.normalize import DiscreteActions, Normalizer
from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.diffusion import DiffusionProcess, NoiseSchedule, PlannerSettings
from rlpriors.encoders import encoder_spec, load_encoder
from rlpriors.networks import build_denoiser
from rlpriors.pretrained import from_pretrained, push_to_hub, read_card, refresh_card
from rlpriors.rewards import MLPReward, RewardSettings, SumReward, load_reward
from rlpriors.sharing import Provenance
from rlpriors.storage.module_files import CheckpointError
from rlpriors.wrappers import EncodeObservation, LearnedReward

NAME = "alice/model"


def make_reward() -> MLPReward:
    normalizer = Normalizer(torch.tensor([0.5, 0.0, 1.0, 0.0]), torch.tensor([2.0, 1.0, 4.0, 1.0]))
    settings = RewardSettings(obs_dim=3, act_dim=1, inputs=("obs", "act"), obs_keys=("xy", "goal"))
    reward = MLPReward(settings, normalizer)
    reward.record_layout(ObservationLayout(("xy", "goal"), ((2,), (1,))))
    return reward


def make_prior(discrete: bool = False) -> DiffuserPolicy:
    space: gym.Space[Any] = gym.spaces.Discrete(3, start=1) if discrete else gym.spaces.Box(-2, 2, (1,))
    act = DiscreteActions(3, 1) if discrete else Normalizer.limits(np.array([[-2.0], [2.0]]))
    layout = TrajectoryLayout(8, 1 if discrete else 2, Normalizer.limits(np.array([[0.0], [3.0]])), act)
    return DiffuserPolicy(
        denoiser=build_denoiser("mlp", horizon=8, dim=layout.dim),
        process=DiffusionProcess(NoiseSchedule(20)),
        layout=layout,
        action_space=space,
        planner=PlannerSettings(n_candidates=2, n_steps=2),
        device="cpu",
    )


def save_reward(folder: Path) -> Path:
    return make_reward().save(folder)


def save_policy(folder: Path) -> Path:
    return save_prior(make_prior(), folder)


def save_discrete_policy(folder: Path) -> Path:
    return save_prior(make_prior(discrete=True), folder)


def save_zero_shot(folder: Path) -> Path:
    settings = ZeroShotSettings(dim=4, hidden=(8,))
    policy = SuccessorFeaturePolicy(
        action_space=gym.spaces.Box(-1, 1, (2,)), obs=Normalizer.identity(3), settings=settings,
        task_entries=(0, 2), device="cpu",
    )  # fmt: skip
    return save_skills(policy, folder)


def save_encoder(folder: Path) -> Path:
    return load_encoder("nature-cnn", weights="none", device="cpu").save(folder)


def save_gray_clips(folder: Path) -> Path:
    """An encoder of gray frames, which cannot be used without consent."""
    encoder = load_encoder("atari-cnn", weights="none", device="cpu")
    encoder.spec = replace(encoder.spec, license="cc-by-nc-4.0", commercial=False)
    return encoder.save(folder)


def reward_output(model: Any) -> np.ndarray:
    obs = np.arange(6.0).reshape(2, 3)
    return model.score(obs, np.ones((2, 1)), obs)


def prior_output(model: Any) -> np.ndarray:
    model.reseed(3)
    model.planner = PlannerSettings(n_candidates=2, n_steps=2)
    return model.plan(np.ones((2, 1), np.float32)).numpy()


def encoder_output(model: Any) -> np.ndarray:
    frames = np.random.default_rng(0).integers(0, 256, (2, 84, 84, 3), np.uint8)
    return model.encode(frames).numpy()


def skills_output(model: Any) -> np.ndarray:
    return model.act_by(np.arange(6.0).reshape(2, 3), np.ones((2, 4)))


KINDS = {
    "reward": (save_reward, load_reward, reward_output),
    "prior": (save_policy, load_prior, prior_output),
    "encoder": (save_encoder, load_encoder, encoder_output),
    "skills": (save_zero_shot, load_skills, skills_output),
}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    monkeypatch.chdir(tmp_path)
    with HubServer() as server:
        use_hub(monkeypatch, server.url, tmp_path / "cache")
        yield server


@pytest.mark.parametrize("kind", KINDS)
def test_a_round_trip_is_exact(kind: str, hub: HubServer, tmp_path: Path) -> None:
    save, load, output = KINDS[kind]
    folder = save(tmp_path / "model")
    expected = output(load(folder, device="cpu"))
    assert push_to_hub(folder, NAME) == f"{hub.url}/{NAME}"
    assert hub.repositories[NAME].files()["model.safetensors"] == (folder / "model.safetensors").read_bytes()
    loaders: list[Callable[[], Any]] = [
        lambda: from_pretrained(NAME, device="cpu"),
        lambda: from_pretrained(folder, device="cpu"),
        lambda: load(f"hf:{NAME}", device="cpu"),
        lambda: (
            load(Path(f"hf:{NAME}"), device="cpu") if kind != "encoder" else load(str(folder), device="cpu")
        ),
    ]
    for loader in loaders:
        model = loader()
        assert type(model) is type(load(folder, device="cpu"))
        assert output(model).tobytes() == expected.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_is_uploaded_without_a_folder(kind: str, hub: HubServer, tmp_path: Path) -> None:
    save, load, output = KINDS[kind]
    model = load(save(tmp_path / "model"), device="cpu")
    push_to_hub(model, NAME, private=True)
    assert hub.repositories[NAME].private
    assert output(from_pretrained(NAME, device="cpu")).tobytes() == output(model).tobytes()


@pytest.mark.parametrize(
    "save", [save_reward, save_policy, save_discrete_policy, save_encoder, save_gray_clips, save_zero_shot]
)
def test_the_snippet_of_a_card_runs(
    save: Callable[[Path], Path], hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """In the folder as it was saved, and anywhere after the upload."""
    folder = save(tmp_path / "model")
    push_to_hub(folder, NAME)
    uploaded = hub.repositories[NAME].files()["README.md"].decode()
    assert f'("hf:{NAME}"' in uploaded
    monkeypatch.chdir(folder)
    for text in (read_card(folder), uploaded):
        (code,) = re.findall(r"```python\n(.*?)\n```", text, re.DOTALL)
        exec(code, {"__name__": "__main__"})
        assert capsys.readouterr().out.strip()
        monkeypatch.chdir(tmp_path)


def test_the_usage_of_a_card_runs_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    origin = Provenance("Pendulum-v1", {"g": 3.0})
    MLPReward(RewardSettings(obs_dim=3, act_dim=1)).save(".", provenance=origin)
    names: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)\n```", Path("README.md").read_text(), re.DOTALL):
        exec(code, names)
    assert isinstance(names["env"], LearnedReward)
    assert names["env"].unwrapped.g == 3.0


def test_facts_of_a_reward(tmp_path: Path) -> None:
    text = read_card(make_reward().save(tmp_path))
    for row in (
        "| class | `MLPReward`, 4,545 weights |",  # (4 + 1) * 64 + (64 + 1) * 64 + 64 + 1
        "| observation | vector of 3 entries: the leaves ('xy' (2,), 'goal' (1,)), flattened, in this order",
        "| action | vector of 1 entry, in units of the environment |",
        "| reads | `obs`, `act` |",
        "| xy[0] | 0.5 | 2 |\n| xy[1] | 0 | 1 |\n| goal | 1 | 4 |",
    ):
        assert row in text


def test_facts_of_a_sum_are_those_of_its_terms(tmp_path: Path) -> None:
    text = read_card(SumReward([make_reward(), make_reward()], [1.0, 2.0]).save(tmp_path))
    assert "| class | `SumReward` of MLPReward, 9,090 weights |" in text
    assert "| reads | `obs`, `act` |" in text
    assert "| goal | 1 | 4 |" in text


def test_facts_of_a_reward_of_some_entries(tmp_path: Path) -> None:
    settings = RewardSettings(obs_dim=3, act_dim=1, n_actions=4, obs_index=(0, 2))
    text = read_card(MLPReward(settings).save(tmp_path))
    assert "| action | not read: integers 0..3 (Discrete) |" in text
    assert "| reads | `obs` |\n| reads of observations | entries [0, 2] |" in text


def test_facts_of_a_prior(tmp_path: Path) -> None:
    text = read_card(save_policy(tmp_path / "box"))
    assert "| window | 8 time steps, 2 environment steps each: 16 steps |" in text
    assert "| action | `Box(-2.0, 2.0, (1,), float32)`, in units of the environment |" in text
    assert "| 0 | 1.5 | 1.5 |" in text
    assert "| action | integers 1..3 (Discrete) |" in read_card(save_discrete_policy(tmp_path / "discrete"))


def test_facts_of_a_policy_over_skills(tmp_path: Path) -> None:
    text = read_card(save_zero_shot(tmp_path))
    assert "# Skills (SuccessorFeaturePolicy)" in text
    assert "| features | `hilp` |\n| skill | vector of 4 entries |" in text
    assert "| goal | entries [0, 2] of an observation |" in text


def test_facts_of_an_encoder(tmp_path: Path) -> None:
    text = read_card(save_encoder(tmp_path / "color"))
    assert "pipeline_tag: image-feature-extraction" in text
    assert "license" not in text.split("---\n")[1]
    assert "| resize | squash to 84x84, bilinear, antialias=True |" in text
    assert "| output | [512] numbers for each image |" in text
    text = read_card(save_gray_clips(tmp_path / "gray"))
    assert "license: cc-by-nc-4.0" in text
    assert "allow_noncommercial=True" in text


def test_the_card_of_a_folder_keeps_its_provenance(hub: HubServer, tmp_path: Path) -> None:
    folder = make_reward().save(tmp_path / "a", provenance=Provenance("Pendulum-v1", metrics={"gap": 0.25}))
    push_to_hub(folder, NAME)
    assert "| gap | 0.25 |" in hub.repositories[NAME].files()["README.md"].decode()


def test_an_edited_card_is_uploaded_unchanged(hub: HubServer, tmp_path: Path) -> None:
    folder = make_reward().save(tmp_path / "a")
    (folder / "README.md").write_text("My own words.")
    push_to_hub(folder, NAME)
    assert hub.repositories[NAME].files()["README.md"] == b"My own words."
    with pytest.raises(ValueError, match="must be a card without later edits"):
        refresh_card(folder)
    assert "load_reward" in refresh_card(folder, replace_edited=True).read_text()


def test_a_card_that_is_no_text(tmp_path: Path) -> None:
    folder = make_reward().save(tmp_path / "a")
    (folder / "README.md").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="must be text in UTF-8"):
        read_card(folder)


def test_a_model_of_an_earlier_version_has_no_card(tmp_path: Path) -> None:
    folder = make_reward().save(tmp_path / "a")
    written = (folder / "README.md").read_text()
    (folder / "README.md").unlink()
    assert read_card(folder) == written
    assert not (folder / "README.md").exists()
    assert refresh_card(folder).read_text() == written


def test_wrappers_take_names_of_the_hub(hub: HubServer, tmp_path: Path) -> None:
    push_to_hub(MLPReward(RewardSettings(obs_dim=3, act_dim=1)), "alice/reward")
    push_to_hub(load_encoder("nature-cnn", weights="none", device="cpu"), "alice/encoder")
    env = LearnedReward(gym.make("Pendulum-v1"), "hf:alice/reward", device="cpu")
    env.reset(seed=0)
    assert np.isfinite(env.step(env.action_space.sample())[1])
    images = Spot()
    encoded = EncodeObservation(images, "hf:alice/encoder", device="cpu")
    assert encoded.reset(seed=0)[0].shape == (512,)
    encoded.close()
    spec = encoder_spec("hf:alice/encoder")
    assert (spec.name, spec.source) == ("hf:alice/encoder", "local")


def test_a_folder_of_an_encoder_with_the_prefix(tmp_path: Path) -> None:
    folder = save_encoder(tmp_path / "model")
    assert load_encoder(f"hf:{folder}", device="cpu").output_shape == (512,)


def test_other_models_and_names_are_refused(hub: HubServer, tmp_path: Path) -> None:
    other = checkpoint.save(torch.nn.Linear(2, 1), RewardSettings(2, 1), tmp_path / "other")
    with pytest.raises(CheckpointError, match=r"an encoder or a policy over skills\. Received a Linear"):
        push_to_hub(other, NAME)
    with pytest.raises(CheckpointError, match="Received a Linear"):
        from_pretrained(other)
    with pytest.raises(CheckpointError, match=r"no such folder.*<owner>/<name>"):
        from_pretrained(tmp_path / "nothing")
    with pytest.raises(ValueError, match=r"`repository` must be '<owner>/<name>'.*Received 'alice'"):
        push_to_hub(other, "alice")
    with pytest.raises(FileNotFoundError, match="does not exist, or is private"):
        from_pretrained("alice/nothing")
    assert not hub.repositories
