"""Training methods of `rlpriors imitate`.

`make_representation_learner`  training of an encoder by a method
`clone`                        a policy by behavior cloning, alone or jointly with a representation
`train_gail`                   a policy by GAIL on an encoder's features
`encode_store`                 demonstrations as features
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm.algorithm_base import OnPolicyAlgorithm, Policy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.env import BaseVectorEnv

from rlpriors.agents import (
    AdversarialIRL,
    AdversarialIRLOnPolicy,
    AlgorithmSettings,
    EncoderNetwork,
    make_algorithm,
)
from rlpriors.agents.imitation.pixel_buffer import PixelBuffer
from rlpriors.agents.imitation.pixel_cloning import AuxiliaryTask, PixelCloning
from rlpriors.agents.imitation.pixel_policy import PixelCloningPolicy, bounded_normalizer, fit_normalizer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.frames import FrameStore
from rlpriors.data.normalize import Normalizer
from rlpriors.encoders import ImageEncoder
from rlpriors.encoders.readouts.frame_fusion import fuse_frames
from rlpriors.representation import Recipe, RepresentationLearner, TrainingSettings
from rlpriors.representation.model import RepresentationModel
from rlpriors.rewards import GAILReward, GAILSettings
from rlpriors.scripts.imitate.settings import CloningSettings, GAILTrainingSettings
from rlpriors.training.offline import train_offline
from rlpriors.training.online import OnlineSettings, train_online
from rlpriors.training.tracking.run_tracker import Trackers

__all__ = ["clone", "encode_store", "make_representation_learner", "train_gail"]

CHUNK_SIZE = 256
NORMALIZER_SAMPLE = 512  # stacks of frames that features are normalized by
ROLLOUT_STEPS = 1024  # steps between GAIL's updates with PPO


def make_representation_learner(
    encoder: ImageEncoder,
    recipe: Recipe | None,
    stores: Sequence[FrameStore],
    training: TrainingSettings,
    *,
    method: str,
    n_actions: int | None,
) -> RepresentationLearner | None:
    """Return the training of `encoder` by `recipe`; None without a recipe.

    Raises:
        ValueError: frames, actions, batch size or encoder do not fit the method.
    """
    if recipe is None:
        return None
    try:
        return RepresentationLearner(encoder, recipe, stores, training, n_actions=n_actions)
    except ValueError as error:
        raise ValueError(
            f"`method` {method!r} does not fit these frames, where `representation_batch` is its "
            f"`batch_size`: {error}"
        ) from error


def clone(
    encoder: ImageEncoder,
    learner: RepresentationLearner | None,
    demos: FrameStore,
    action_space: gym.Space[Any],
    settings: CloningSettings,
    run: Path,
    *,
    seeds: tuple[int, int],
    resume: bool,
    tracker: Trackers = "tensorboard",
) -> PixelCloningPolicy:
    """Train a policy on `demos`; with `learner` its encoder is trained by both losses in each update.

    `seeds` are those of the initial weights and of the training, and `tracker` is the destination of the
    losses.
    """
    weights_seed, training_seed = seeds
    act = None
    if isinstance(action_space, gym.spaces.Box):
        act = Normalizer.limits(
            np.asarray(demos.steps()["act"]).reshape(-1, int(np.prod(action_space.shape)))
        )
    auxiliary = None
    with torch.random.fork_rng():
        torch.manual_seed(weights_seed)
        network = EncoderNetwork(encoder, settings.encoder_mode, stack=settings.stack)
        sample, _ = PixelBuffer(demos, settings.stack, seed=weights_seed).sample(NORMALIZER_SAMPLE)
        policy = PixelCloningPolicy(
            network,
            action_space=action_space,
            act=act,
            obs=fit_normalizer(network, sample.obs),
            hidden=settings.hidden,
        )
        if learner is not None:
            clips = learner.clips
            model = RepresentationModel(
                policy.network.encoder, learner.recipe, actions=clips.actions, updates=settings.n_updates
            )
            draw = partial(clips.draw, learner.batch_size, training_seed)
            auxiliary = AuxiliaryTask(model, draw, settings.representation_weight, settings.n_updates)
    algorithm = PixelCloning(
        policy=policy,
        optim=AdamOptimizerFactory(lr=settings.lr),
        augment=settings.augmentations,
        auxiliary=auxiliary,
        seed=training_seed,
    )
    train_offline(
        algorithm,
        PixelBuffer(demos, settings.stack, seed=training_seed),
        folder=run,
        name="cloning",
        n_updates=settings.n_updates,
        batch_size=settings.batch_size,
        epoch_updates=settings.checkpoint_every,
        resume=resume,
        tracker=tracker,
    )
    return policy.eval()


def train_gail(
    envs: BaseVectorEnv,
    observation_space: gym.Space[Any],
    action_space: gym.Space[Any],
    demos: EpisodeStore,
    settings: GAILTrainingSettings,
    run: Path,
    *,
    seeds: tuple[int, int],
    resume: bool,
    tracker: Trackers = "tensorboard",
) -> tuple[Policy, AlgorithmSettings]:
    """Train a policy by GAIL, with PPO for Discrete actions and SAC for Box actions.

    `envs` and `demos` have features for observations; the environment's own reward is only recorded.  `seeds`
    are those of the initial weights and of the training.
    """
    weights_seed, training_seed = seeds
    discrete = isinstance(action_space, gym.spaces.Discrete)
    algorithm_settings = AlgorithmSettings(
        "ppo" if discrete else "sac", hidden=settings.hidden, lr=settings.lr, entropy=0.01
    )
    agent: Any = make_algorithm(
        observation_space, action_space, algorithm_settings, device=settings.device, seed=weights_seed
    )
    discriminator_settings = GAILSettings(
        obs_dim=demos.obs.shape[1],
        act_dim=1 if discrete else demos.act.shape[1],
        n_actions=int(action_space.n) if isinstance(action_space, gym.spaces.Discrete) else None,
        action_start=int(action_space.start) if isinstance(action_space, gym.spaces.Discrete) else 0,
        form="logit",  # episodes end by their time limit: survival is neither rewarded nor punished
    )
    with torch.random.fork_rng():
        torch.manual_seed(weights_seed)
        # A feature that is constant in the demonstrations may vary in the policy's episodes.
        discriminator = GAILReward(
            discriminator_settings, bounded_normalizer(torch.from_numpy(np.asarray(demos.obs)))
        )
    adversarial: Any = AdversarialIRLOnPolicy if isinstance(agent, OnPolicyAlgorithm) else AdversarialIRL
    algorithm = adversarial(
        agent,
        discriminator=discriminator,
        demonstrations=demos,
        optim=AdamOptimizerFactory(lr=settings.lr),
        seed=training_seed,
    )
    n = settings.n_envs
    rows = max(1, min(ROLLOUT_STEPS, settings.env_steps) // n)
    online = OnlineSettings(
        env_steps=settings.env_steps,
        n_envs=n,
        random_steps=0 if discrete else n * max(1, min(1000, settings.env_steps // 4) // n),
        collect_steps=rows * n if discrete else n,
        update_per_step=1.0 if discrete else max(0.25, 1 / n),
        checkpoint_every=max(rows * n if discrete else n, settings.env_steps // 8),
        exact_resume=settings.exact_resume,
    )
    train_online(
        algorithm,
        envs,
        folder=run,
        name="gail",
        settings=online,
        seed=training_seed,
        resume=resume,
        tracker=tracker,
    )
    discriminator.save(run / "reward")
    return agent.policy, algorithm_settings


def encode_store(store: FrameStore, encoder: ImageEncoder, stack: int) -> EpisodeStore:
    """Return demonstrations with features for observations, stacked and fused as in `EncodeObservation`."""
    starts = range(0, store.n_frames, CHUNK_SIZE)
    vectors = torch.cat([encoder.encode(np.array(store.frames[i : i + CHUNK_SIZE])).cpu() for i in starts])
    indices = PixelBuffer(store, stack).stack_indices(np.arange(store.n_frames))
    obs = vectors[torch.from_numpy(indices)]
    fused = fuse_frames(obs, "concat") if stack > 1 else obs[:, 0]
    steps, lengths = store.steps(), store.lengths - 1
    n = int(lengths.sum())
    columns: dict[str, Any] = {
        "rew": np.zeros(n, np.float32),
        "terminated": np.zeros(n, bool),
        "truncated": np.zeros(n, bool),
    }
    columns |= dict(steps)
    return EpisodeStore(obs=fused.flatten(1).numpy(), lengths=lengths, **columns)
