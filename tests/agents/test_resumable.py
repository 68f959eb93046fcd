"""Training states: errors for states of other algorithms and damaged ones."""

from copy import deepcopy
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from line_env import assert_equal, sac, seeded
from tianshou.algorithm.optim import AdamOptimizerFactory

from rlpriors.agents import SQIL, DiffuserPolicy, DiffusionIRL, Relabel, TrajectoryLayout
from rlpriors.agents.resumable import restore_training, restoring, training_state
from rlpriors.checkpoint import CheckpointError
from rlpriors.data import Episode, EpisodeStore
from rlpriors.diffusion import DiffusionProcess, NoiseSchedule
from rlpriors.networks import build_denoiser
from rlpriors.rewards import MLPReward, RewardSettings


def test_a_state_of_another_algorithm_is_refused() -> None:
    with (
        pytest.raises(CheckpointError, match=r"is of 'DQN', not of 'SAC'\. Start without"),
        restoring("SAC", {"algorithm": "DQN"}),
    ):
        pytest.fail("the context must not run")


@pytest.mark.parametrize("error", [KeyError("modules"), RuntimeError("size"), ValueError("shape")])
def test_errors_of_loading_are_reported_as_a_mismatch(error: Exception) -> None:
    with (
        pytest.raises(CheckpointError, match="does not fit SAC") as caught,
        restoring("SAC", {"algorithm": "SAC"}),
    ):
        raise error
    assert caught.value.__cause__ is error


def test_a_restored_algorithm_has_an_equal_state() -> None:
    algorithm, other = seeded(sac, alpha="auto"), seeded(sac, alpha="auto", seed=1)
    restore_training(other, training_state(algorithm))
    assert_equal(training_state(other), training_state(algorithm))


class TestInputs:
    """A resumed training must share its data, its reward and its settings."""

    def test_a_fixed_reward(self) -> None:
        begun = MLPReward(RewardSettings(obs_dim=1, act_dim=1, hidden=()))
        other = deepcopy(begun)
        other.net[0].bias.data += 1
        state = Relabel(seeded(sac), begun).resume_state()
        Relabel(seeded(sac), deepcopy(begun)).resume(state)
        with pytest.raises(CheckpointError, match=r"was trained with reward '\w+' \(now '\w+'\)"):
            Relabel(seeded(sac), other).resume(state)

    def test_a_reward_that_is_trained_elsewhere_is_restored(self) -> None:
        trained, fresh = (MLPReward(RewardSettings(obs_dim=1, act_dim=1, hidden=())) for _ in range(2))
        algorithm = Relabel(seeded(sac), trained)
        trained.net[0].bias.data += 1
        Relabel(seeded(sac), fresh).resume(algorithm.resume_state())
        assert fresh.net[0].bias == trained.net[0].bias

    def test_demonstrations(self) -> None:
        walk = Episode(np.linspace(0, 1, 5)[:, None], np.full((4, 1), 0.5), *np.zeros((3, 4)))
        data = EpisodeStore.from_episodes([walk])
        other = replace(data, obs=data.obs / 2)
        state = SQIL(seeded(sac), data).resume_state()
        SQIL(seeded(sac), data).resume(state)
        with pytest.raises(CheckpointError, match="was trained with demonstrations"):
            SQIL(seeded(sac), other).resume(state)
        with pytest.raises(CheckpointError, match=r"demonstration_reward 1.0 \(now 2.0\)"):
            SQIL(seeded(sac), data, demonstration_reward=2.0).resume(state)
        del state["inputs"]  # as in files of earlier versions
        SQIL(seeded(sac), other).resume(state)

    def test_the_prior_and_the_objective_of_irl(self) -> None:
        walk = Episode(np.linspace(0, 1, 9)[:, None], np.full((8, 1), 0.5), *np.zeros((3, 8)))
        layout = TrajectoryLayout.fit(EpisodeStore.from_episodes([walk]), 4)

        def make(shift: float = 0.0, objective: str = "contrastive") -> DiffusionIRL:
            denoiser = seeded(lambda: build_denoiser("mlp", horizon=4, dim=layout.dim))
            next(denoiser.parameters()).data += shift
            policy = DiffuserPolicy(
                denoiser=denoiser,
                process=DiffusionProcess(NoiseSchedule(9)),
                layout=layout,
                action_space=gym.spaces.Box(-1, 1, (1,)),
                device="cpu",
            )
            reward = MLPReward(RewardSettings(obs_dim=1, act_dim=1))
            optim = AdamOptimizerFactory()
            return DiffusionIRL(policy=policy, reward=reward, optim=optim, objective=objective)

        state = make().resume_state()
        make().resume(state)
        with pytest.raises(CheckpointError, match="was trained with prior"):
            make(shift=1.0).resume(state)
        with pytest.raises(CheckpointError, match=r"was trained with objectives \['Contrastive'\]"):
            make(objective="sampler_backprop").resume(state)
