"""The methods of `irl.py`: every objective, every baseline, on the same prior and demonstrations.

`METHODS`   each by its name: takes a `Lab`, gives back what it learned
`Lab`       what all methods of one world and seed share
`Learned`   a policy, a reward, or both
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tianshou.algorithm.algorithm_base import OfflineAlgorithm, Policy
from tianshou.algorithm.optim import AdamOptimizerFactory, TorchOptimizerFactory
from tianshou.trainer import OfflineTrainerParams

from benchmarks.irl.worlds import Numbers, World
from rlpriors.agents import (
    SQIL,
    AdversarialIRL,
    AlgorithmSettings,
    BehaviorCloning,
    BehaviorCloningPolicy,
    CosineSchedule,
    DiffuserPolicy,
    DiffusionCloning,
    DiffusionIRL,
    DiffusionIRLSettings,
    DiffusionPolicy,
    TrajectoryDiffusion,
    TrajectoryLayout,
    make_algorithm,
)
from rlpriors.agents.irl.objectives import ChainSettings
from rlpriors.agents.irl.original_recipe import original_recipe
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.diffusion import DiffusionProcess, NoiseSchedule, PlannerSettings
from rlpriors.networks import build_denoiser
from rlpriors.rewards import (
    AIRLReward,
    AIRLSettings,
    DRAILReward,
    DRAILSettings,
    EnsembleReward,
    GAILReward,
    GAILSettings,
    MLPReward,
    RewardSettings,
    ShapedReward,
)
from rlpriors.rewards.divergences import DivergenceSettings
from rlpriors.training.offline import train_offline
from rlpriors.training.online import OnlineSettings, train_online
from rlpriors.types import RewardFn

__all__ = ["METHODS", "Lab", "Learned"]


@dataclass
class Learned:
    """What came of a method."""

    policy: Policy | None = None
    reward: RewardFn | None = None
    numbers: Numbers = field(default_factory=dict)


class Lab:
    """A world, a seed, its data and its trained prior."""

    def __init__(self, world: World, seed: int, n_demos: int, folder: Path, workers: int = 0) -> None:
        self.world, self.seed, self.n_demos, self.folder = world, seed, n_demos, folder
        self.data, demos = self._data(workers)
        self.demos = demos.subset(np.arange(min(n_demos, demos.n_episodes)))
        self.frames = TrajectoryLayout.fit(self.data, world.horizon, world.stride)
        self._prior = self._train_prior()

    def _data(self, workers: int) -> tuple[EpisodeStore, EpisodeStore]:
        files = [self.folder / f"{name}.safetensors" for name in ("data", "demonstrations")]
        if not all(file.exists() for file in files):
            self.folder.mkdir(parents=True, exist_ok=True)
            for store, file in zip(self.world.data(self.seed, workers), files, strict=True):
                store.save(file)
        first, second = (EpisodeStore.load(file) for file in files)
        return first, second

    def policy(self) -> DiffuserPolicy:
        """A fresh planning policy with the trained prior, the best of 16 plans."""
        policy = self._untrained()
        policy.denoiser.load_state_dict(self._prior)
        policy.denoiser.requires_grad_(False)
        return policy

    def _untrained(self) -> DiffuserPolicy:
        world = self.world
        torch.manual_seed(self.seed)
        return DiffuserPolicy(
            denoiser=build_denoiser("mlp", horizon=world.horizon, dim=self.frames.dim),
            process=DiffusionProcess(NoiseSchedule(50)),
            frames=self.frames,
            action_space=world.spaces[1],
            planner=PlannerSettings(n_candidates=16, n_steps=8),
            execute=world.execute,
            obs_keys=world.obs_keys,
            device="cpu",
            seed=self.seed,
        )

    def _train_prior(self) -> dict[str, torch.Tensor]:
        policy, updates = self._untrained(), self.world.budget.prior_updates
        optim = TorchOptimizerFactory(torch.optim.AdamW, lr=2e-3, weight_decay=1e-4)
        schedule = CosineSchedule(updates, warm_up=min(200, updates // 2))
        train_offline(
            TrajectoryDiffusion(
                policy=policy, optim=optim.with_lr_scheduler_factory(schedule), seed=self.seed
            ),
            to_buffer(self.data),
            folder=self.folder,
            name="prior",
            n_updates=updates,
            batch_size=128,
            epoch_updates=updates // 4,
            resume=True,
        )
        return {name: tensor.clone() for name, tensor in policy.denoiser.state_dict().items()}

    def sizes(self) -> dict[str, Any]:
        return {
            "obs_dim": self.frames.obs_dim,
            "act_dim": self.frames.act.dim,
            "obs_keys": self.world.obs_keys,
        }

    def reward(self, seed: int = 0, **settings: Any) -> MLPReward:
        """An untrained reward; without `obs_index` it reads all of the observation."""
        torch.manual_seed(1000 * self.seed + seed)
        return MLPReward(RewardSettings(**self.sizes(), **settings), self.frames.normalizer)

    def learner(self, seed: int = 0) -> Any:
        """SAC, as every method that acts to learn uses it."""
        settings = AlgorithmSettings("sac", lr=3e-3, gamma=0.97, tau=0.02)
        return make_algorithm(*self.world.spaces, settings, seed=self.seed + seed)


def fit(algorithm: OfflineAlgorithm[Any], data: EpisodeStore, updates: int, batch_size: int) -> float:
    """Train for some updates; seconds an update."""
    started = time.monotonic()
    algorithm.run_training(
        OfflineTrainerParams(
            buffer=to_buffer(data),
            batch_size=batch_size,
            max_epochs=1,
            epoch_num_steps=updates,
            show_progress=False,
            verbose=False,
        )
    )
    return (time.monotonic() - started) / updates


def irl(
    objective: object = "contrastive",
    *,
    told: bool = False,
    chain: bool = False,
    make: Callable[[Lab], Any] | None = None,
    warm_start: tuple[tuple[object, float], ...] = (),
    settings: DiffusionIRLSettings | None = None,
    **inputs: Any,
) -> Callable[[Lab], Learned]:
    """`DiffusionIRL` by an objective; `told` rewards read what is known to matter alone."""

    def learn(lab: Lab) -> Learned:
        world, policy = lab.world, lab.policy()
        updates = world.budget.chain_updates if chain else world.budget.reward_updates
        index = world.obs_index if told else None
        algorithm = DiffusionIRL(
            policy=policy,
            reward=make(lab) if make is not None else lab.reward(obs_index=index, **inputs),
            optim=AdamOptimizerFactory(lr=5e-3).with_lr_scheduler_factory(CosineSchedule(updates, final=0.1)),
            objective=objective,
            base=lab.data,
            warm_start=[(stage, round(part * updates)) for stage, part in warm_start],
            settings=settings,
            max_start=world.max_start,
            seed=lab.seed,
        )
        seconds = fit(algorithm, lab.demos, updates, 64)
        # What shaping adds helps to learn and is no part of what is wanted (arXiv 1710.11248).
        wanted = getattr(algorithm.reward, "unshaped", algorithm.reward)
        return Learned(policy, wanted, {"update_ms": 1000 * seconds})

    return learn


def ensemble(lab: Lab) -> EnsembleReward:
    return EnsembleReward([lab.reward(seed) for seed in range(3)])


def shaped(lab: Lab) -> ShapedReward:
    torch.manual_seed(lab.seed)
    return ShapedReward(lab.reward(), gamma=0.99)


def original(lab: Lab) -> Learned:
    """The original recipe, for as many seconds as the budget says."""
    policy = lab.policy()
    recipe = original_recipe(
        lab.world.seed_recipe, lab.frames.horizon, lab.frames.dim, stride=lab.frames.stride
    )
    algorithm = recipe.learner(policy, lab.seed)
    per_update = fit(algorithm, lab.demos, 2, recipe.batch_size)
    updates = max(1, int(lab.world.budget.seed_seconds / per_update))
    per_update = fit(algorithm, lab.demos, updates, recipe.batch_size)
    return Learned(policy, None, {"update_ms": 1000 * per_update, "updates": float(updates)})


def fixed(make: Callable[[Lab], RewardFn | None]) -> Callable[[Lab], Learned]:
    """Planning by a reward that is not learned."""

    def learn(lab: Lab) -> Learned:
        policy, reward = lab.policy(), make(lab)
        policy.reward = reward
        return Learned(policy, reward)

    return learn


def clone(lab: Lab) -> Learned:
    torch.manual_seed(lab.seed)
    policy = BehaviorCloningPolicy.fit(
        lab.demos, lab.world.spaces[1], obs_keys=lab.world.obs_keys, device="cpu", seed=lab.seed
    )
    algorithm = BehaviorCloning(policy=policy, optim=AdamOptimizerFactory(lr=1e-3), seed=lab.seed)
    fit(algorithm, lab.demos, lab.world.budget.clone_updates, 128)
    return Learned(policy)


def diffusion_clone(lab: Lab) -> Learned:
    torch.manual_seed(lab.seed)
    policy = DiffusionPolicy.fit(
        lab.demos,
        lab.world.spaces[1],
        horizon=8,
        width=128,
        obs_keys=lab.world.obs_keys,
        device="cpu",
        seed=lab.seed,
    )
    algorithm = DiffusionCloning(policy=policy, optim=AdamOptimizerFactory(lr=1e-3), seed=lab.seed)
    fit(algorithm, lab.demos, lab.world.budget.clone_updates, 128)
    return Learned(policy)


def adversarial(make: Callable[[Lab], Any], lr: float = 3e-4) -> Callable[[Lab], Learned]:
    """A discriminator beside SAC, in the environment itself."""

    def learn(lab: Lab) -> Learned:
        torch.manual_seed(lab.seed)
        discriminator = make(lab)
        algorithm = AdversarialIRL(
            lab.learner(),
            discriminator=discriminator,
            demonstrations=lab.demos,
            optim=AdamOptimizerFactory(lr=lr),
            seed=lab.seed,
        )
        act_to_learn(lab, algorithm)
        return Learned(algorithm.policy, discriminator.requires_grad_(False))

    return learn


def act_to_learn(lab: Lab, algorithm: Any) -> None:
    """As many steps in the environment as every policy gets that learns from a learned reward."""
    steps = lab.world.budget.env_steps
    settings = OnlineSettings(
        env_steps=steps, random_steps=min(1600, steps // 32 * 16), update_per_step=0.125
    )
    train_online(algorithm, lab.world.vector, settings=settings, seed=lab.seed, progress=False)


def gail(lab: Lab) -> GAILReward:
    return GAILReward(GAILSettings(**lab.sizes(), form="logit"), lab.frames.normalizer)


def airl(lab: Lab) -> AIRLReward:
    return AIRLReward(AIRLSettings(**lab.sizes(), gamma=0.97), lab.frames.normalizer)


def drail(lab: Lab) -> DRAILReward:
    return DRAILReward(DRAILSettings(**lab.sizes()), lab.frames.normalizer)


def sqil(lab: Lab) -> Learned:
    algorithm = SQIL(lab.learner(), lab.demos, seed=lab.seed)
    act_to_learn(lab, algorithm)
    return Learned(algorithm.policy)


def chain(divergence: str) -> Callable[[Lab], Learned]:
    return irl(ChainSettings(divergence=DivergenceSettings(divergence), stride=2), told=True, chain=True)


_PLAIN = DiffusionIRLSettings(quickness_power=0.0)
METHODS: dict[str, Callable[[Lab], Learned]] = {
    "unguided": fixed(lambda lab: None),
    "oracle": fixed(lambda lab: lab.world.oracle()),
    "random": fixed(lambda lab: lab.reward().requires_grad_(False)),
    "contrastive": irl(told=True),
    "contrastive-all": irl(),
    "contrastive-action": irl(inputs=("obs", "act")),
    "chain-mmd-rbf": chain("mmd-rbf"),
    "relative": irl("relative", told=True),
    "ratio": irl("ratio", told=True),
    "ratio+contrastive": irl("contrastive", told=True, warm_start=(("ratio", 0.25),)),
    "original_recipe": original,
    "bc": clone,
    "diffusion-bc": diffusion_clone,
    "gail": adversarial(gail),
    "airl": adversarial(airl, lr=3e-3),
    "drail": adversarial(drail),
    "sqil": sqil,
    # What else was tried for a reward of all of the observation, or with actions, and further divergences.
    "all-plain": irl(settings=_PLAIN),
    "all-slowness": irl(settings=replace(_PLAIN, slowness_penalty=10.0)),
    "all-next": irl(settings=_PLAIN, inputs=("obs_next",)),
    "all-shaped": irl(settings=_PLAIN, make=shaped),
    "all-ensemble": irl(settings=_PLAIN, make=ensemble),
    "all-spectral": irl(settings=_PLAIN, spectral_norm=True),
    "all-noise": irl(settings=replace(_PLAIN, input_noise=0.3)),
    "action-plain": irl(settings=_PLAIN, inputs=("obs", "act")),
    "action-marginal": irl(settings=replace(_PLAIN, marginal_actions=True), inputs=("obs", "act")),
    "relative-all": irl("relative"),
    "ratio-all": irl("ratio"),
    "chain-mse": chain("mse"),
    "chain-mmd-matern": chain("mmd-matern"),
    "chain-energy": chain("energy"),
    "chain-sinkhorn": chain("sinkhorn"),
}
