"""Encoder inside a policy: the trained weights of each mode, and that no other weight changes."""

import copy
import pickle

import gymnasium as gym
import numpy as np
import pytest
import torch
from jaxtyping import config
from tianshou.algorithm import DQN, PPO
from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
from tianshou.algorithm.modelfree.reinforce import DiscreteActorPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Batch, Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.trainer import OffPolicyTrainerParams, OnPolicyTrainerParams
from tianshou.utils.net.discrete import DiscreteActor, DiscreteCritic
from torch import nn

from rlpriors.agents.online.encoder_network import EncoderNetwork, LoRALinear
from rlpriors.encoders import EncoderSpec, ImageEncoder, load_encoder
from rlpriors.encoders.backbones.torchvision_shim import ensure_torchvision
from rlpriors.wrappers.encode_observation import EncodeObservation

VIT, CNN = "timm:test_vit", "timm:test_resnet"
MODES = [
    pytest.param(VIT, "frozen", {}, id="vit-frozen"),
    pytest.param(VIT, "last-n", {"n_blocks": 2}, id="vit-last-2"),
    pytest.param(VIT, "lora", {"rank": 2}, id="vit-lora"),
    pytest.param(VIT, "full", {}, id="vit-full"),
    pytest.param(CNN, "frozen", {}, id="cnn-frozen"),
    pytest.param(CNN, "last-n", {"n_blocks": 1}, id="cnn-last-1"),
    pytest.param(CNN, "full", {}, id="cnn-full"),
]


def make_encoder(name: str = VIT, readout: str = "cls", **options) -> ImageEncoder:
    size = {"input_size": (36, 36) if "nature" in name else (32, 32)}
    return load_encoder(name, weights="none", readout=readout, device="cpu", **size, **options)


def images(*batch: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(256, size=(*batch, 24, 40, 3), dtype=np.uint8)


def learning(network: EncoderNetwork) -> set[str]:
    return {name for name, weight in network.encoder.named_parameters() if weight.requires_grad}


def one_step(network: EncoderNetwork, lr: float = 0.1) -> set[str]:
    """One gradient step; the weights that it had a gradient for."""
    head = nn.Linear(network.get_output_dim(), 1)
    optim = torch.optim.SGD([*network.parameters(), *head.parameters()], lr=lr)
    network.train()
    head(network(images(4))[0]).square().mean().backward()
    weights = network.encoder.named_parameters()
    reached = {name for name, weight in weights if weight.grad is not None and weight.grad.abs().max() > 0}
    optim.step()
    return reached


@pytest.mark.parametrize(("name", "mode", "options"), MODES)
def test_every_mode_begins_with_the_encoders_output(name, mode, options):
    encoder = make_encoder(name)
    network = EncoderNetwork(encoder, mode, **options).train()
    features, state = network(images(5), "state", {"info": 1})
    assert state == "state"
    assert features.shape == (5, network.get_output_dim())
    assert network.output_dim == network.get_output_dim()
    torch.testing.assert_close(features, encoder.encode(images(5)), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(network(torch.from_numpy(images(5)))[0], features)


@pytest.mark.parametrize(("name", "mode", "options"), MODES)
def test_what_learns_moves_and_nothing_else(name, mode, options):
    encoder = make_encoder(name)
    network = EncoderNetwork(encoder, mode, **options)
    before = copy.deepcopy(network.encoder.state_dict())
    given = copy.deepcopy(encoder.state_dict())
    # LoRA's A has no gradient before B has moved, nor has what leads to a norm that begins at 0.
    reached = set.union(*(one_step(network) for _ in range(3)))
    assert reached == learning(network)
    after = network.encoder.state_dict()
    assert {key for key in before if not torch.equal(before[key], after[key])} <= reached
    assert all(torch.equal(given[key], value) for key, value in encoder.state_dict().items())
    assert not any(weight.requires_grad for weight in encoder.parameters())


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        (VIT, {"n_blocks": 1}, ("blocks.5.", "norm.", "fc_norm.")),
        (VIT, {"n_blocks": 6}, ("blocks.", "norm.", "fc_norm.")),
        (CNN, {"n_blocks": 1}, ("layer4.",)),
        (CNN, {"n_blocks": 3}, ("layer2.", "layer3.", "layer4.")),
        ("timm:test_convnext", {"n_blocks": 1}, ("stages.3.", "norm_pre.", "head.")),
        ("timm:test_efficientnet", {"n_blocks": 1}, ("blocks.4.", "conv_head.", "bn2.")),
        ("nature-cnn", {"n_blocks": 2}, ("convolutions.2.", "convolutions.4.", "linear.")),
    ],
)
def test_the_last_blocks_and_what_is_behind_them(name, options, expected):
    encoder = make_encoder(name)
    network = EncoderNetwork(encoder, "last-n", **options)
    names = {name.removeprefix("backbone.network.") for name in learning(network)}
    every = {
        name.removeprefix("backbone.network.") for name, _ in encoder.backbone.network.named_parameters()
    }
    assert names == {name for name in every if name.startswith(expected)} != set()


def test_lora_adapts_attention_or_all_linear_layers():
    attention = EncoderNetwork(make_encoder(), "lora", rank=3)
    layers = {n for n, m in attention.encoder.backbone.network.named_modules() if isinstance(m, LoRALinear)}
    assert layers == {f"blocks.{i}.attn.{part}" for i in range(6) for part in ("qkv", "proj")}
    assert {name.rpartition(".")[2] for name in learning(attention)} == {"a", "b"}
    everywhere = EncoderNetwork(make_encoder(), "lora", targets="linear")
    layers = {n for n, m in everywhere.encoder.backbone.network.named_modules() if isinstance(m, LoRALinear)}
    assert len(layers) == 6 * 4
    weights = [
        dict(network.named_parameters())
        for network in (attention, EncoderNetwork(make_encoder(), "lora", rank=3))
    ]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_lora_by_hand():
    linear = nn.Linear(2, 2)
    layer = LoRALinear(linear, rank=1, alpha=3.0, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        linear.weight.copy_(torch.eye(2))
        linear.bias.copy_(torch.tensor([5.0, 7.0]))
        layer.a.copy_(torch.tensor([[1.0, 2.0]]))
        layer.b.copy_(torch.tensor([[1.0], [-1.0]]))
    # W + 3 b a = [[1, 0], [0, 1]] + 3 [[1, 2], [-1, -2]]
    torch.testing.assert_close(layer.weight, torch.tensor([[4.0, 6.0], [-3.0, -5.0]]))
    torch.testing.assert_close(layer(torch.tensor([[1.0, 1.0]])), torch.tensor([[15.0, -1.0]]))
    torch.testing.assert_close(layer.merge()(torch.tensor([[1.0, 1.0]])), torch.tensor([[15.0, -1.0]]))
    assert layer.bias is linear.bias


def test_lora_where_the_network_multiplies_itself():
    """EvaAttention, DINOv3's, takes `qkv.weight` instead of calling the layer."""
    encoder = load_encoder(
        "timm:vit_small_patch16_dinov3_qkvb", weights="none", input_size=(32, 32), device="cpu"
    )
    network = EncoderNetwork(encoder, "lora", rank=1)
    torch.testing.assert_close(network(images(2))[0], encoder.encode(images(2)), atol=1e-5, rtol=1e-4)
    network(images(2))[0].square().sum().backward()
    grads = {name: weight.grad for name, weight in network.named_parameters() if name.endswith("qkv.b")}
    assert grads
    assert all(grad.abs().max() > 0 for grad in grads.values())


@pytest.mark.parametrize(("name", "mode", "options"), MODES)
def test_merged_and_saved_it_is_an_encoder_again(name, mode, options, tmp_path):
    network = EncoderNetwork(make_encoder(name), mode, **options)
    one_step(network, lr=0.01)
    one_step(network, lr=0.01)
    merged = network.merge()
    assert not any(weight.requires_grad for weight in merged.parameters())
    assert learning(network) or mode == "frozen"  # merging took nothing from the network
    expected = network(images(3))[0].detach()
    torch.testing.assert_close(merged.encode(images(3)), expected, atol=1e-4, rtol=1e-4)
    again = load_encoder(merged.save(tmp_path / "encoder"), device="cpu")
    torch.testing.assert_close(again.encode(images(3)), expected, atol=1e-4, rtol=1e-4)
    assert again.fingerprint().difference(merged.fingerprint()) == ()


@pytest.mark.parametrize(("name", "mode", "options"), MODES)
def test_state_goes_round_and_copies_are_apart(name, mode, options):
    network = EncoderNetwork(make_encoder(name), mode, **options)
    one_step(network)
    one_step(network)
    fresh = EncoderNetwork(make_encoder(name, seed=1), mode, **options)
    fresh.load_state_dict(network.state_dict())
    for other in (fresh, copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        torch.testing.assert_close(other(images(2))[0], network(images(2))[0])
        assert learning(other) == learning(network)
    twin = copy.deepcopy(network)
    expected = network(images(2))[0].detach()
    one_step(twin)
    torch.testing.assert_close(network(images(2))[0], expected)


def test_batch_statistics_and_dropout_stay_off():
    network = EncoderNetwork(make_encoder(CNN), "full").train()
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    before = [norm.running_mean.clone() for norm in norms]
    one_step(network)
    assert network.training
    assert not any(norm.training for norm in norms)
    assert all(torch.equal(old, norm.running_mean) for old, norm in zip(before, norms, strict=True))


@pytest.mark.parametrize("readout", ["attention-pool", "compress(8)"])
def test_a_readout_with_weights_learns_even_on_a_frozen_network(readout):
    encoder = make_encoder(readout=readout)
    network = EncoderNetwork(encoder)
    assert learning(network) == {f"readout.{name}" for name, _ in encoder.readout.named_parameters()} != set()
    torch.testing.assert_close(network(images(2))[0], encoder.encode(images(2)), atol=1e-5, rtol=1e-5)
    one_step(network)
    assert not any(weight.requires_grad for weight in encoder.parameters())


@pytest.mark.parametrize("readout", ["grid(2)", "crops(1,2)", "flatten"])
def test_readouts_of_space_and_crops(readout):
    encoder = make_encoder(readout=readout)
    network = EncoderNetwork(encoder, "full")
    expected = encoder.encode(images(3)).flatten(1)
    torch.testing.assert_close(network(images(3))[0], expected, atol=1e-5, rtol=1e-5)
    assert network.output_dim == expected.shape[1]


def test_stacks_are_fused():
    encoder = make_encoder("nature-cnn")
    z = encoder.encode(images(2, 3).reshape(6, 24, 40, 3)).reshape(2, 3, -1)
    concat = EncoderNetwork(encoder, stack=3)
    assert concat.output_dim == 3 * 512
    torch.testing.assert_close(concat(images(2, 3))[0], z.flatten(1))
    flare = EncoderNetwork(encoder, stack=3, fuse="flare")
    expected = torch.cat([z[:, 2], z[:, 1] - z[:, 0], z[:, 2] - z[:, 1]], 1)
    torch.testing.assert_close(flare(images(2, 3))[0], expected)
    gray = images(2, 3)[..., 0]
    torch.testing.assert_close(concat(gray)[0], concat(gray[..., None])[0])
    single = EncoderNetwork(encoder)
    torch.testing.assert_close(single(gray[:, 0])[0], encoder.encode(gray[:, 0, :, :, None]))
    with pytest.raises(ValueError, match=r"`obs` must have 3 frames each .* Received shape \[2, 24, 40, 3\]"):
        concat(images(2))


@pytest.mark.parametrize("readout", ["cls", "crops(1,2)"])
def test_in_the_policy_as_in_front_of_the_environment(readout):
    encoder = make_encoder(readout=readout)
    env = RecordFrames(Bright())
    wrapped = EncodeObservation(env, encoder, stack=3, fuse="flare")
    online = [wrapped.reset(seed=0)[0], *(wrapped.step(1)[0] for _ in range(4))]
    frames = np.stack(env.frames)
    stacks = frames[np.maximum(np.arange(5)[:, None] + np.arange(-2, 1), 0)]
    for mode in ("frozen", "full"):
        network = EncoderNetwork(encoder, mode, stack=3, fuse="flare")
        torch.testing.assert_close(
            network(stacks)[0], torch.from_numpy(np.stack(online)), atol=1e-5, rtol=1e-5
        )


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def test_huggingface_networks(device):
    ensure_torchvision()
    from transformers import ViTConfig, ViTModel

    from rlpriors.encoders.backbones.huggingface import HuggingFaceBackbone

    spec = EncoderSpec(name="tiny", source="huggingface", model_id="x", license="mit", input_size=(32, 32))
    sizes = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}
    model = ViTModel(ViTConfig(**sizes, image_size=32, patch_size=16)).eval()
    encoder = ImageEncoder(spec, HuggingFaceBackbone(model), device=device)
    for mode in ("frozen", "last-n", "lora", "full"):
        network = EncoderNetwork(encoder, mode)
        torch.testing.assert_close(network(images(2))[0], encoder.encode(images(2)), atol=1e-4, rtol=1e-4)
    blocks = {name.split("layers.")[1][0] for name in learning(EncoderNetwork(encoder, "lora"))}
    assert blocks == {"0", "1", "2"}
    assert len(learning(EncoderNetwork(encoder, "lora"))) == 3 * 4 * 2  # q, k, v, o; A and B


def test_dictionary_observations():
    network = EncoderNetwork(make_encoder("nature-cnn"), obs_key="camera/left")
    obs = Batch(camera=Batch(left=images(2), right=images(2, seed=1)), speed=np.zeros((2, 1)))
    torch.testing.assert_close(network(obs)[0], network.encoder.encode(images(2)))
    with pytest.raises(TypeError, match=r"`obs` must be an array of images\. Received Batch; set"):
        EncoderNetwork(network.encoder)(obs)


class Bright(gym.Env):
    """Shows a bright or a dark picture; the action that names it is right."""

    observation_space = gym.spaces.Box(0, 255, (36, 36, 3), np.uint8)
    action_space = gym.spaces.Discrete(2)

    def _look(self) -> np.ndarray:
        self.light = int(self.np_random.integers(2))
        return np.full((36, 36, 3), 200 * self.light, np.uint8)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time = 0
        return self._look(), {}

    def step(self, action):
        reward = float(action == self.light)
        self.time += 1
        return self._look(), reward, False, self.time == 8, {}


class RecordFrames(gym.ObservationWrapper):
    """Remembers what it showed."""

    def __init__(self, env: gym.Env) -> None:
        super().__init__(env)
        self.frames = []

    def observation(self, observation):
        self.frames.append(observation)
        return observation


def collector(policy) -> Collector:
    envs = DummyVectorEnv([Bright] * 2)
    envs.seed(0)
    return Collector(policy, envs, VectorReplayBuffer(64, 2))


@pytest.mark.parametrize(("mode", "options"), [("last-n", {"n_blocks": 3}), ("frozen", {}), ("full", {})])
def test_dqn_trains_it(mode, options):
    torch.manual_seed(0)
    network = EncoderNetwork(make_encoder("nature-cnn"), mode, **options)
    q = DiscreteActor(preprocess_net=network, action_shape=2, softmax_output=False)
    policy = DiscreteQLearningPolicy(model=q, action_space=Bright.action_space, eps_training=0.5)
    algorithm = DQN(
        policy=policy,
        optim=AdamOptimizerFactory(lr=1e-1 if mode == "frozen" else 1e-3),
        gamma=0.0,
        target_update_freq=5,
    )
    before = copy.deepcopy(network.state_dict())
    algorithm.run_training(
        OffPolicyTrainerParams(
            training_collector=collector(policy),
            max_epochs=1,
            epoch_num_steps=64,
            collection_step_num_env_steps=16,
            update_step_num_gradient_steps_per_sample=0.5,
            batch_size=16,
            verbose=False,
            show_progress=False,
        )
    )
    moved = {key for key, value in network.state_dict().items() if not torch.equal(value, before[key])}
    assert moved == {f"encoder.{name}" for name in learning(network)}
    assert not network.encoder.training
    obs = np.stack([np.zeros((36, 36, 3), np.uint8), np.full((36, 36, 3), 200, np.uint8)])
    assert q(obs)[0].argmax(1).tolist() == [0, 1]


def test_ppo_trains_it_with_one_network_for_actor_and_critic():
    torch.manual_seed(0)
    network = EncoderNetwork(make_encoder(), "lora", rank=2)
    policy = DiscreteActorPolicy(
        actor=DiscreteActor(preprocess_net=network, action_shape=2, softmax_output=True),
        action_space=Bright.action_space,
        dist_fn=torch.distributions.Categorical,
    )
    critic = DiscreteCritic(preprocess_net=network)
    algorithm = PPO(policy=policy, critic=critic, optim=AdamOptimizerFactory(lr=1e-3))
    before = copy.deepcopy(network.state_dict())
    algorithm.run_training(
        OnPolicyTrainerParams(
            training_collector=collector(policy),
            max_epochs=1,
            epoch_num_steps=32,
            collection_step_num_env_steps=16,
            update_step_num_repetitions=2,
            batch_size=8,
            verbose=False,
            show_progress=False,
        )
    )
    moved = {key for key, value in network.state_dict().items() if not torch.equal(value, before[key])}
    assert moved == {f"encoder.{name}" for name in learning(network)}


def test_what_cannot_be_is_refused(monkeypatch):
    monkeypatch.setattr(config, "jaxtyping_disable", True)  # as users run it
    with pytest.raises(ValueError, match=r"`mode` must be one of \['frozen', .*Received 'thawed'"):
        EncoderNetwork(make_encoder(), "thawed")
    for n_blocks in (0, 7):
        with pytest.raises(ValueError, match=rf"`n_blocks` must be in 1..6, .*Received {n_blocks}"):
            EncoderNetwork(make_encoder(), "last-n", n_blocks=n_blocks)
    with pytest.raises(
        ValueError, match=r'`mode` "lora" needs linear layers of attention .*timm:test_resnet'
    ):
        EncoderNetwork(make_encoder(CNN), "lora")
    with pytest.raises(ValueError, match=r"`rank` must be at least 1\. Received 0"):
        EncoderNetwork(make_encoder(), "lora", rank=0)
    with pytest.raises(ValueError, match='`targets` must be "attention" or "linear"'):
        EncoderNetwork(make_encoder(), "lora", targets="all")
    with pytest.raises(ValueError, match=r"Received 'topk-crops\(2,difference\)'.*previous frame"):
        EncoderNetwork(make_encoder(readout="topk-crops(2)"))
    with pytest.raises(ValueError, match="`fuse` must be one of"):
        EncoderNetwork(make_encoder(), fuse="sum")
    with pytest.raises(ValueError, match="channels"):
        EncoderNetwork(make_encoder())(np.zeros((2, 8, 8, 5), np.uint8))
