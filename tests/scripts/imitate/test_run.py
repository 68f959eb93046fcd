"""`rlpriors imitate`: every mode with two lamps, stopping and resuming, bad input."""

import json
import re
import sys
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch
from lamp_env import SIZE, press_the_lit
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tianshou.env import DummyVectorEnv

from rlpriors.agents import AdversarialIRLOnPolicy, PixelCloningPolicy
from rlpriors.checkpoint import CheckpointError
from rlpriors.data.frame_writer import FrameWriter
from rlpriors.data.frames import FrameStore
from rlpriors.encoders import load_encoder
from rlpriors.envs.pixel_envs import PixelEnvSpec
from rlpriors.envs.random_frames import collect_random_episodes
from rlpriors.envs.rollout import rollout
from rlpriors.representation import RepresentationLearner
from rlpriors.scripts.imitate import methods
from rlpriors.scripts.imitate import run as command
from rlpriors.scripts.imitate.methods import encode_store
from rlpriors.scripts.imitate.run import imitate, stacked_env
from rlpriors.scripts.imitate.settings import ImitateSettings
from rlpriors.scripts.main import main
from rlpriors.training.rollout import evaluate_returns
from rlpriors.wrappers import EncodeObservation

LAMPS, STEERED, FROM_ONE = (f"rlpriors-tests/{name}-v0" for name in ("Lamps", "SteeredLamps", "LampsFromOne"))


def record(folder, env=LAMPS, *, leave_out=()):
    with FrameWriter(folder) as writer:
        for episode in rollout(PixelEnvSpec(env, SIZE).make, lambda: press_the_lit, 4, 0):
            rows = {"act": episode.act, "rew": episode.rew}
            rows = {name: np.concatenate([row, row[:1] * 0]) for name, row in rows.items()}
            writer.add_episode(episode.obs, **{n: row for n, row in rows.items() if n not in leave_out})
    return folder


@pytest.fixture
def tiny(tmp_path):
    return ImitateSettings(
        LAMPS,
        record(tmp_path / "demos"),
        image_size=SIZE,
        mode="scratch",
        augmentations="noise",
        updates=4,
        checkpoint_every=2,
        batch_size=8,
        lr=1e-3,
        hidden=(16,),
        representation_updates=4,
        representation_batch=8,
        random_steps=6,
        env_steps=16,
        n_envs=2,
        n_episodes=3,
        device="cpu",
    )


# ---------------------------------------------------------------- every mode


@pytest.mark.parametrize("mode", ["pretrain", "joint", "scratch", "gail"])
@pytest.mark.parametrize("env", [LAMPS, STEERED])
def test_every_mode_leaves_a_policy_and_its_returns(tiny, tmp_path, mode, env, capsys):
    demos = tiny.demos if env == LAMPS else record(tmp_path / "steered", STEERED)
    method = "inverse-dynamics" if mode == "joint" else "simclr"
    settings = replace(tiny, env=env, demos=demos, mode=mode, method=method)
    run = imitate(settings, folder=tmp_path / "run")
    results = json.loads((run / "results.json").read_text())
    assert results["expert_return"] == 6
    assert 0 <= results["random_return"] < 6
    assert len(results["returns"]) == 3
    assert results["normalized"] == pytest.approx(
        (results["return"] - results["random_return"]) / (6 - results["random_return"])
    )
    assert "0 is a random policy" in capsys.readouterr().out
    assert (run / "random").exists() == (mode != "scratch")
    assert results["augment"] == (mode != "gail")
    if mode == "gail":
        files = {path.name for path in (run / "reward").iterdir()}
        assert files == {"model.safetensors", "config.json", "README.md"}
        assert (run / "encoder" / "config.json").exists()
    else:
        space = PixelEnvSpec(env, SIZE).make().action_space
        policy = PixelCloningPolicy.load(run / "policy", space, device="cpu")
        envs = DummyVectorEnv([lambda: stacked_env(PixelEnvSpec(env, SIZE), 2)] * 3)
        eval_seed = int(np.random.SeedSequence(0).generate_state(7)[4])
        episodes = evaluate_returns(policy, envs, 3, seed=eval_seed)
        assert [episode.true_return for episode in episodes] == results["returns"]


def test_cloning_finds_the_lit_lamp(tiny, tmp_path):
    settings = replace(tiny, updates=30, checkpoint_every=15, augment=False, stack=1)
    results = json.loads((imitate(settings, folder=tmp_path / "run") / "results.json").read_text())
    assert results["normalized"] == 1


def test_pretraining_gives_the_policy_its_encoder_and_a_frozen_one_stays(tiny, tmp_path):
    settings = replace(tiny, mode="pretrain", encoder_mode="frozen")
    one = imitate(settings, folder=tmp_path / "one")
    two = imitate(replace(settings, updates=2), folder=tmp_path / "two")
    three = imitate(replace(settings, method="none"), folder=tmp_path / "three")
    first, second, third = (load_encoder(run / "policy/encoder", device="cpu") for run in (one, two, three))
    assert first.fingerprint() == second.fingerprint()
    assert first.fingerprint().weights != third.fingerprint().weights


def test_gail_augments_nothing_whatever_was_asked_for(tiny, tmp_path):
    runs = [
        imitate(replace(tiny, mode="gail", augment=augment), folder=tmp_path / f"{augment}")
        for augment in (True, False)
    ]
    output = [json.loads((run / "results.json").read_text()) for run in runs]
    assert [results["augment"] for results in output] == [False, False]
    assert output[0] | {"seconds": 0} == output[1] | {"seconds": 0}
    policies = [(run / "policy/model.safetensors").read_bytes() for run in runs]
    assert policies[0] == policies[1]


def test_cloning_is_another_without_augmentation(tiny, tmp_path):
    runs = [
        imitate(replace(tiny, augment=augment), folder=tmp_path / f"{augment}") for augment in (True, False)
    ]
    assert [json.loads((run / "results.json").read_text())["augment"] for run in runs] == [True, False]
    policies = [(run / "policy/model.safetensors").read_bytes() for run in runs]
    assert policies[0] != policies[1]


@pytest.mark.parametrize(("mode", "looked"), [("pretrain", True), ("gail", True), ("scratch", False)])
def test_the_methods_part_is_looked_at_as_pretrain_does(tiny, tmp_path, mode, looked):
    settings = replace(tiny, mode=mode, method="vae", representation_updates=5)
    run = imitate(settings, folder=tmp_path / "run")
    logs = run / "tensorboard" / "encoder"
    assert logs.exists() == looked
    if not looked:
        return
    events = EventAccumulator(str(logs), size_guidance={"images": 0, "scalars": 0}).Reload()
    steps = [2, 4, 5]  # at checkpoints and after the last update
    for name in ("rankme", "feature_std"):
        found = events.Scalars(f"diagnostics/{name}")
        assert [event.step for event in found] == steps
        assert all(event.value > 0 for event in found)
    for name in ("view/context", "reconstruction"):
        assert [event.step for event in events.Images(f"pictures/{name}")] == steps


def test_what_is_looked_at_learns_no_differently(tiny, tmp_path, monkeypatch):
    settings = replace(tiny, mode="pretrain", method="byol")  # whose statistics of batches would move
    seen = imitate(settings, folder=tmp_path / "seen")
    monkeypatch.setattr(command, "log_feature_statistics", lambda *_, **__: None)
    unseen = imitate(settings, folder=tmp_path / "unseen")
    for name in ("policy/encoder/model.safetensors", "representation.resume.pt"):
        assert (seen / name).read_bytes() == (unseen / name).read_bytes(), name


def test_given_frames_are_learned_from_instead_of_random_play(tiny, tmp_path):
    frames = collect_random_episodes(PixelEnvSpec(LAMPS, SIZE), 10, tmp_path / "frames", 3)
    assert frames.lengths.tolist() == [7, 7]  # whole episodes of six steps
    run = imitate(replace(tiny, mode="pretrain", frames=tmp_path / "frames"), folder=tmp_path / "run")
    assert not (run / "random").exists()


def test_part_of_the_demonstrations_can_be_taken(tiny, tmp_path):
    run = imitate(replace(tiny, demo_episodes=1), folder=tmp_path / "run")
    assert json.loads((run / "results.json").read_text())["expert_return"] == 6
    with pytest.raises(ValueError, match=r"`demo_episodes` must be at most 4.*Received 5"):
        imitate(replace(tiny, demo_episodes=5), folder=tmp_path / "other")


def test_demonstrations_are_encoded_as_the_wrapper_does_it(tiny):
    encoder = load_encoder("nature-cnn", weights="none", input_size=(SIZE, SIZE), device="cpu")
    store = FrameStore.open(tiny.demos)
    encoded = encode_store(store, encoder, 3)
    env = EncodeObservation(PixelEnvSpec(LAMPS, SIZE).make(), encoder, stack=3)
    obs = [env.reset(seed=0)[0]]
    for act in encoded.act[:6]:
        obs.append(env.step(int(act))[0])
    np.testing.assert_allclose(encoded.obs[:7], np.array(obs), atol=1e-5)
    assert encoded.lengths.tolist() == [6] * 4


# ---------------------------------------------------------------- stopping and resuming


class Killed(Exception):
    pass


@pytest.mark.parametrize("mode", ["pretrain", "joint", "scratch"])
def test_a_killed_run_resumes_bit_equal(tiny, tmp_path, mode, monkeypatch):
    settings = replace(tiny, mode=mode, method="simclr")
    whole = imitate(settings, folder=tmp_path / "whole")
    update = methods.PixelCloning._update_with_batch

    def dies(self, batch):
        if int(self.updates) == 3:
            raise Killed
        return update(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(methods.PixelCloning, "_update_with_batch", dies)
        with pytest.raises(Killed):
            imitate(settings, folder=tmp_path / "run")
    assert not (tmp_path / "run" / "policy").exists()
    begun = []

    def counts(self, batch):
        begun.append(int(self.updates))
        return update(self, batch)

    monkeypatch.setattr(methods.PixelCloning, "_update_with_batch", counts)
    resumed = imitate(settings, folder=tmp_path / "run", resume=True)
    assert begun[0] == 2  # of the checkpoint, and not from the beginning
    for name in ("policy/model.safetensors", "policy/encoder/model.safetensors"):
        assert (resumed / name).read_bytes() == (whole / name).read_bytes(), name


def test_a_run_killed_while_the_encoder_learned_resumes(tiny, tmp_path, monkeypatch):
    settings = replace(tiny, mode="pretrain")
    whole = imitate(settings, folder=tmp_path / "whole")
    update = RepresentationLearner.update

    def dies(self):
        if self.updates == 3:
            raise Killed
        return update(self)

    with monkeypatch.context() as patch:
        patch.setattr(RepresentationLearner, "update", dies)
        with pytest.raises(Killed):
            imitate(settings, folder=tmp_path / "run")
    begun = []

    def counts(self):
        begun.append(self.updates)
        return update(self)

    monkeypatch.setattr(RepresentationLearner, "update", counts)
    resumed = imitate(settings, folder=tmp_path / "run", resume=True)
    assert begun[0] == 2
    name = "policy/encoder/model.safetensors"
    assert (resumed / name).read_bytes() == (whole / name).read_bytes()


def test_gail_resumes_from_its_checkpoint(tiny, tmp_path, monkeypatch):
    settings = replace(tiny, mode="gail")
    run = imitate(settings, folder=tmp_path / "run")
    before = (run / "policy/model.safetensors").read_bytes()
    (run / "results.json").unlink()
    monkeypatch.setattr(AdversarialIRLOnPolicy, "_wrapper_update_with_batch", lambda *_: pytest.fail("again"))
    assert imitate(settings, folder=tmp_path / "run", resume=True) == run
    assert (run / "policy/model.safetensors").read_bytes() == before


def test_a_state_of_another_method_is_refused(tiny, tmp_path):
    settings = replace(tiny, mode="pretrain")
    run = imitate(settings, folder=tmp_path / "run")
    output = json.loads((run / "settings.json").read_text())
    (run / "settings.json").write_text(json.dumps(output | {"method": "byol"}))
    with pytest.raises(CheckpointError, match=r"recipe 'byol'.* 'simclr'"):
        imitate(replace(settings, method="byol"), folder=tmp_path / "run", resume=True)


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mode": "pretrain", "method": "simclear"}, r"`method` must be one of .*Did you mean simclr\?"),
        (
            {"image_size": 40},
            r"`demos` .* frames of \(40, 40, 3\).*Received \(36, 36, 3\).*set `image_size` 36",
        ),
        ({"env": STEERED}, r"`act` must be actions of Box.*Received shape \(\)"),
        ({"env": FROM_ONE}, r"`env` must number its actions from 0\. Received Discrete\(2, start=1\)"),
        ({"mode": "pretrain", "options": '{"heat": 1}'}, r"`options` of simclr must be among .*\['heat'\]"),
        ({"env": "pogn"}, r"`env` must be an Atari game or the id .*Received 'pogn'"),
        ({"augmentations": "shfit"}, r"`augment` must be names joined by '\+'"),
    ],
)
def test_what_does_not_fit_is_refused(tiny, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        imitate(replace(tiny, **changes), folder=tmp_path / "run")


def test_demonstrations_without_actions_are_refused_before_any_run_begins(tiny, tmp_path):
    demos = record(tmp_path / "silent", leave_out=("act",))
    with pytest.raises(ValueError, match=r"`store` must contain the array `act`.* with \['rew'\]"):
        imitate(replace(tiny, demos=demos), folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("mode", ["pretrain", "joint", "scratch", "gail"])
def test_actions_outside_of_the_box_are_refused_before_any_run_begins(tiny, tmp_path, mode):
    with FrameWriter(tmp_path / "loud") as writer:
        for press in (1.0001, 1.5):  # the first is within rounding
            act = np.full((5, 1), press, np.float32)
            writer.add_episode(np.zeros((5, SIZE, SIZE, 3), np.uint8), act=act)
    with pytest.raises(
        ValueError, match=r"`act` must be .* Box.* Received \[1\.5\] at step 0 of episode 1; record"
    ):
        imitate(replace(tiny, env=STEERED, demos=tmp_path / "loud", mode=mode), folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("mode", ["pretrain", "joint", "scratch", "gail"])
def test_an_episode_of_one_frame_is_refused_before_any_run_begins(tiny, tmp_path, mode):
    with FrameWriter(tmp_path / "still") as writer:
        for n in (4, 1, 4):
            writer.add_episode(np.zeros((n, SIZE, SIZE, 3), np.uint8), act=np.zeros(n, int))
    with pytest.raises(
        ValueError, match=r"`demos` must .* Received one frame in episode 1 of .*still; record"
    ):
        imitate(replace(tiny, demos=tmp_path / "still", mode=mode), folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("mode", ["pretrain", "joint", "gail"])
@pytest.mark.parametrize(
    ("batch", "random_steps", "output"),
    [
        (1, 0, "at least 2 for recipe 'simclr'"),
        (29, 0, "number of clips, 28"),
        (36, 1, "number of clips, 35"),
    ],
)
def test_batches_of_the_method_are_checked_before_anything_is_trained(
    tiny, tmp_path, monkeypatch, mode, batch, random_steps, output
):
    for name in ("PixelCloning", "train_online"):
        monkeypatch.delattr(methods, name)
    settings = replace(tiny, mode=mode, representation_batch=batch, random_steps=random_steps)
    match = rf"`method` 'simclr' does not fit these frames, where `representation_batch` .*{output}"
    with pytest.raises(ValueError, match=match):
        imitate(settings, folder=tmp_path / "run")
    assert (tmp_path / "run").exists() == (random_steps > 0)  # where random play had to be seen first


def test_options_are_those_of_the_method(tiny, tmp_path, monkeypatch):
    found = []
    monkeypatch.setattr(
        command, "make_representation_learner", lambda encoder, recipe, *_, **__: found.append(recipe)
    )
    settings = replace(tiny, mode="pretrain", options='{"dim": 7, "temperature": 0.2}')
    imitate(settings, folder=tmp_path / "run")
    assert found[0].losses["nt_xent"].loss.keywords == {"temperature": 0.2}


def test_demonstrations_without_rewards_leave_the_place_between_unknown(tiny, tmp_path):
    demos = record(tmp_path / "unpaid", leave_out=("rew",))
    run = imitate(replace(tiny, demos=demos), folder=tmp_path / "run")
    assert json.loads((run / "results.json").read_text())["normalized"] is None


def test_no_demonstrations_at_all_are_refused(tiny, tmp_path):
    with pytest.raises(FileNotFoundError, match="FrameWriter"):
        imitate(replace(tiny, demos=tmp_path / "nowhere"), folder=tmp_path / "run")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"updates": 0}, "`updates` must be at least 1"),
        ({"checkpoint_every": 3}, "`checkpoint_every` must divide `updates`, 4"),
        ({"lr": 0.0}, "`lr` must be above 0"),
        ({"random_steps": -1}, "`random_steps` must be at least 0"),
        ({"mode": "joint", "encoder_mode": "frozen"}, '`mode` "joint" needs'),
        ({"mode": "joint", "method": "none"}, '`mode` "joint" needs'),
        ({"options": "{"}, r"`options` must be JSON\. Received '\{'"),
        ({"options": "[]"}, "`options` must be a JSON object"),
    ],
)
def test_settings_are_bounded(tiny, changes, message):
    with pytest.raises(ValueError, match=message):
        replace(tiny, **changes)


def test_help_teaches(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["rlpriors", "imitate", "--help"])
    with pytest.raises(SystemExit):
        main()
    output = capsys.readouterr().out
    assert all(word in output for word in ("--demos", "--no-augment", "controls", "demonstrate", "joint"))
    words = " ".join(re.sub("[│╭╮╰╯─]", " ", output).split())
    assert "In gail no image is augmented, with either flag" in words


def test_the_command_tells_errors_in_one_line(tmp_path, monkeypatch):
    words = ["rlpriors", "imitate", "--env", "CartPole-v1", "--demos", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit, match=r"rlpriors: .*has no index\.json"):
        main()


def test_what_torch_draws_from_is_put_back(tiny, tmp_path):
    before = torch.get_rng_state()
    imitate(tiny, folder=tmp_path / "run")
    assert torch.equal(torch.get_rng_state(), before)


def test_a_world_is_cut_where_it_is_refused():
    env = PixelEnvSpec(LAMPS, SIZE, max_episode_steps=2).make()
    env.reset(seed=0)
    assert env.step(0)[3] is False
    assert env.step(0)[3] is True
    assert isinstance(env, gym.Wrapper)
