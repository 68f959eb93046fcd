"""The parts of `rlpriors imitate`: cloning, GAIL, evaluation.

`make_algorithm`  what trains an encoder by a method
`clone`         a policy from demonstrations; alone, or jointly with a representation
`train_gail`    a policy by GAIL on an encoder's outputs
`encode_store`  demonstrations as an encoder sees them
`score`         returns of a policy's episodes
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
from tianshou.data import Batch
from tianshou.env import BaseVectorEnv

from rlpriors.agents import AdversarialIRL, AdversarialIRLOnPolicy, AlgorithmSettings, EncoderNetwork
from rlpriors.agents import make_algorithm as make_policy_learner
from rlpriors.agents.imitation.pixel_buffer import PixelBuffer
from rlpriors.agents.imitation.pixel_cloning import Auxiliary, PixelCloning
from rlpriors.agents.imitation.pixel_policy import PixelCloningPolicy, bounded_normalizer, fit_normalizer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.frames import FrameStore
from rlpriors.data.normalize import Normalizer
from rlpriors.encoders import ImageEncoder
from rlpriors.encoders.readouts.frame_fusion import fuse
from rlpriors.representation import Recipe, RepresentationLearner, TrainingSettings
from rlpriors.representation.model import RepresentationModel
from rlpriors.rewards import GAILReward, GAILSettings
from rlpriors.scripts.imitate.settings import ImitateSettings
from rlpriors.training.episode_statistics import RecordEpisodeReturns
from rlpriors.training.offline import train_offline
from rlpriors.training.online import OnlineSettings, train_online
from rlpriors.training.rollout import temporary_seed

__all__ = ["clone", "encode_store", "make_algorithm", "score", "train_gail"]

CHUNK = 256
SAMPLE = 512  # stacks that tell how large an encoder's numbers are
ROLLOUT = 1024  # steps between GAIL's updates with PPO


def make_algorithm(
    encoder: ImageEncoder,
    recipe: Recipe | None,
    stores: Sequence[FrameStore],
    settings: ImitateSettings,
    *,
    n_actions: int | None,
    seed: int,
) -> RepresentationLearner | None:
    """What trains `encoder` by `recipe`; None without one.

    Raises:
        ValueError: frames, actions, batch or encoder are not what the method needs.
    """
    if recipe is None:
        return None
    training = TrainingSettings(
        updates=settings.representation_updates, batch_size=settings.representation_batch, seed=seed
    )
    try:
        return RepresentationLearner(encoder, recipe, stores, training, n_actions=n_actions)
    except ValueError as error:
        raise ValueError(
            f"`method` {settings.method!r} cannot learn here, with `representation_batch` for its "
            f"`batch_size`: {error}"
        ) from error


def clone(
    encoder: ImageEncoder,
    learner: RepresentationLearner | None,
    demos: FrameStore,
    action_space: gym.Space[Any],
    settings: ImitateSettings,
    run: Path,
    *,
    seeds: tuple[int, int],
    resume: bool,
) -> PixelCloningPolicy:
    """A policy from `demos`; its encoder also learns what `learner` would, in the same updates."""
    first_weights, training_seed = seeds
    act = None
    if isinstance(action_space, gym.spaces.Box):
        act = Normalizer.limits(
            np.asarray(demos.steps()["act"]).reshape(-1, int(np.prod(action_space.shape)))
        )
    auxiliary = None
    with torch.random.fork_rng():
        torch.manual_seed(first_weights)
        network = EncoderNetwork(encoder, settings.encoder_mode, stack=settings.stack)
        sample, _ = PixelBuffer(demos, settings.stack, seed=first_weights).sample(SAMPLE)
        policy = PixelCloningPolicy(
            network,
            action_space=action_space,
            act=act,
            obs=fit_normalizer(network, sample.obs),
            hidden=settings.hidden,
        )
        if learner is not None:
            windows = learner.windows
            model = RepresentationModel(
                policy.network.encoder, learner.recipe, actions=windows.actions, updates=settings.updates
            )
            draw = partial(windows.draw, learner.batch_size, training_seed)
            auxiliary = Auxiliary(model, draw, settings.representation_weight, settings.updates)
    algorithm = PixelCloning(
        policy=policy,
        optim=AdamOptimizerFactory(lr=settings.lr),
        augment=settings.augmentations if settings.augment else "none",
        auxiliary=auxiliary,
        seed=training_seed,
    )
    train_offline(
        algorithm,
        PixelBuffer(demos, settings.stack, seed=training_seed),
        folder=run,
        name="cloning",
        n_updates=settings.updates,
        batch_size=settings.batch_size,
        epoch_updates=settings.checkpoint_every,
        resume=resume,
    )
    return policy.eval()


def train_gail(
    envs: BaseVectorEnv,
    observation_space: gym.Space[Any],
    action_space: gym.Space[Any],
    demos: EpisodeStore,
    settings: ImitateSettings,
    run: Path,
    *,
    seeds: tuple[int, int],
    resume: bool,
) -> tuple[Policy, AlgorithmSettings]:
    """A policy by GAIL: PPO where actions are Discrete, SAC where they are a Box.

    `envs` and `demos` show encodings; the environment's own reward is only counted.
    """
    first_weights, training_seed = seeds
    discrete = isinstance(action_space, gym.spaces.Discrete)
    learner = AlgorithmSettings(
        "ppo" if discrete else "sac", hidden=settings.hidden, lr=settings.lr, entropy=0.01
    )
    agent: Any = make_policy_learner(
        observation_space, action_space, learner, device=settings.device, seed=first_weights
    )
    kind = GAILSettings(
        obs_dim=demos.obs.shape[1],
        act_dim=1 if discrete else demos.act.shape[1],
        n_actions=int(action_space.n) if isinstance(action_space, gym.spaces.Discrete) else None,
        form="logit",  # episodes are cut by time: neither living on nor ending is worth anything
    )
    with torch.random.fork_rng():
        torch.manual_seed(first_weights)
        # What is still in demonstrations may come to life in the policy's play.
        discriminator = GAILReward(kind, bounded_normalizer(torch.from_numpy(np.asarray(demos.obs))))
    opposed: Any = AdversarialIRLOnPolicy if isinstance(agent, OnPolicyAlgorithm) else AdversarialIRL
    algorithm = opposed(
        agent,
        discriminator=discriminator,
        demonstrations=demos,
        optim=AdamOptimizerFactory(lr=settings.lr),
        seed=training_seed,
    )
    n = settings.n_envs
    rows = max(1, min(ROLLOUT, settings.env_steps) // n)
    online = OnlineSettings(
        env_steps=settings.env_steps,
        n_envs=n,
        random_steps=0 if discrete else n * max(1, min(1000, settings.env_steps // 4) // n),
        collect_steps=rows * n if discrete else n,
        update_per_step=1.0 if discrete else max(0.25, 1 / n),
        checkpoint_every=max(rows * n if discrete else n, settings.env_steps // 8),
    )
    train_online(algorithm, envs, folder=run, name="gail", settings=online, seed=training_seed, resume=resume)
    discriminator.save(run / "reward")
    return agent.policy, learner


def encode_store(store: FrameStore, encoder: ImageEncoder, stack: int) -> EpisodeStore:
    """Demonstrations with encodings for frames, stacked and fused as `EncodeObservation` does it."""
    starts = range(0, store.n_frames, CHUNK)
    vectors = torch.cat([encoder.encode(np.array(store.frames[i : i + CHUNK])).cpu() for i in starts])
    seen = PixelBuffer(store, stack).seen(np.arange(store.n_frames))
    obs = vectors[torch.from_numpy(seen)]
    fused = fuse(obs, "concat") if stack > 1 else obs[:, 0]
    steps, lengths = store.steps(), store.lengths - 1
    n = int(lengths.sum())
    blank = {"rew": np.zeros(n, np.float32), "terminated": np.zeros(n, bool), "truncated": np.zeros(n, bool)}
    return EpisodeStore(obs=fused.flatten(1).numpy(), lengths=lengths, **{**blank, **steps})


def score(policy: Policy, envs: BaseVectorEnv, n_episodes: int, seed: int) -> np.ndarray:
    """The environment's own return of each episode, of a policy that does not explore."""
    accounts = RecordEpisodeReturns(envs)
    with temporary_seed(np.random.SeedSequence(seed), accounts), torch.no_grad():
        while len(accounts.finished) < n_episodes:
            ids = np.arange(min(len(accounts), n_episodes - len(accounts.finished)))
            obs, _ = accounts.reset(ids)
            while len(ids):
                told: Any = Batch(obs=obs, info=Batch())
                acts = policy.map_action(policy(told).act)
                obs, _, terminated, truncated, _ = accounts.step(acts, ids)
                going = ~(terminated | truncated)
                ids, obs = ids[going], obs[going]
    return np.array([episode.true_return for episode in accounts.finished])
