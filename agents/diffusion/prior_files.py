"""Files of trajectory priors.

`save_prior`  denoiser, layout and noise schedule of a planning policy to a folder
`load_prior`  planning policy from such a folder
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import torch

from rlpriors import checkpoint
from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.diffusion.prior_card import prior_card
from rlpriors.agents.diffusion.trajectory_layout import TrajectoryLayout
from rlpriors.checkpoint import CheckpointError
from rlpriors.data.normalize import DiscreteActions, Normalizer
from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.diffusion import DiffusionProcess, NoiseSchedule, PlannerSettings
from rlpriors.encoders.record import EncoderRecord
from rlpriors.networks import DENOISER_CLASSES
from rlpriors.sharing.card import write_card
from rlpriors.sharing.download import model_folder
from rlpriors.sharing.provenance import Provenance
from rlpriors.spaces.actions import check_action_spaces, space_from_json, space_to_json

__all__ = ["load_prior", "save_prior"]

PRIOR, ENCODER = "prior", "obs_encoder"  # entries of the saved configuration


def save_prior(policy: DiffuserPolicy, folder: str | Path, *, provenance: Provenance | None = None) -> Path:
    """Save a policy's prior as `model.safetensors` and `config.json`, for `load_prior`, with a model card.

    The denoiser, the layout of windows with its normalizers, the noise schedule ("cosine"), the execution
    horizon and the record of the encoder are saved.  Rewards, terminal values and inverse dynamics are not.
    `provenance` adds environment, data, metrics and command to the configuration and to the card.

    Raises:
        ValueError: the denoiser is of a class of another library, or the schedule is not "cosine".
    """
    if type(policy.denoiser).__name__ not in DENOISER_CLASSES:
        raise ValueError(
            f"`policy.denoiser` must be one of {sorted(DENOISER_CLASSES)}. Received a "
            f"{type(policy.denoiser).__name__}; build it by `build_denoiser`."
        )
    steps = policy.process.schedule.num_train_timesteps
    expected = NoiseSchedule(steps).alphas_cumprod
    if not torch.equal(policy.process.schedule.alphas_cumprod.cpu(), expected):
        raise ValueError(
            '`policy.process.schedule` must be NoiseSchedule(n, "cosine"). Received another one; train the '
            "prior with the default schedule, or save the denoiser by rlpriors.checkpoint."
        )
    layout = policy.layout
    entry = {
        "horizon": layout.horizon,
        "stride": layout.stride,
        "obs": _normalizer_json(layout.obs),
        "act": {"encoding": layout.act.encoding}
        if isinstance(layout.act, DiscreteActions)
        else _normalizer_json(layout.act),
        "obs_layout": None if layout.obs_layout is None else layout.obs_layout.to_json(),
        "obs_shape": None if layout.obs_shape is None else list(layout.obs_shape),
        "absorbing": layout.absorbing,
        "action_space": space_to_json(policy.action_space),
        "num_train_timesteps": steps,
        "prediction_type": policy.process.prediction_type,
        "execution_horizon": policy.execution_horizon,
        "obs_keys": None if policy.obs_keys is None else list(policy.obs_keys),
    }
    settings: Any = policy.denoiser.settings
    entries = {PRIOR: entry, **({} if provenance is None else provenance.entries())}
    if policy.obs_encoder is not None:
        entries[ENCODER] = policy.obs_encoder.as_dict()
    folder = checkpoint.save(policy.denoiser, settings, folder, entries=entries)
    write_card(folder, prior_card(policy))
    return folder


def load_prior(
    folder: str | Path,
    *,
    action_space: gym.Space[Any] | None = None,
    planner: PlannerSettings | None = None,
    device: str | torch.device = "auto",
    seed: int = 0,
) -> DiffuserPolicy:
    """Load a prior that `save_prior` saved, as a policy that plans with it.

    Set `policy.reward` to plan for a reward.

    Args:
        folder: folder of the prior, or "hf:<owner>/<name>" of the Hugging Face hub; see `model_folder`.
        action_space: action space of the environment, which must be that of the prior; None for no check.
        planner: settings of the planner.
        device: device of the policy.
        seed: random seed of the planner's noise.

    Raises:
        CheckpointError: the folder or a file is missing or damaged.
        ValueError: the action space is another one.
    """
    folder = model_folder(folder)
    denoiser = checkpoint.load(folder, DENOISER_CLASSES, device)
    entry = checkpoint.load_entry(folder, PRIOR)
    try:
        space = space_from_json(entry["action_space"])
        layout = _layout(entry, space)
        process = DiffusionProcess(NoiseSchedule(entry["num_train_timesteps"]), entry["prediction_type"])
        execution_horizon, keys = int(entry["execution_horizon"]), entry["obs_keys"]
        encoder = EncoderRecord.from_dict(checkpoint.load_entry(folder, ENCODER))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder} holds an invalid prior: {error}. Train it again.") from error
    check_action_spaces("`action_space`", action_space, "the prior", space)
    policy = DiffuserPolicy(
        denoiser=denoiser.eval(),
        process=process,
        layout=layout,
        action_space=space,
        planner=planner,
        execution_horizon=execution_horizon,
        obs_keys=keys,
        device=device,
        seed=seed,
    )
    policy.obs_encoder = encoder
    return policy


def _layout(entry: Mapping[str, Any], space: gym.Space[Any]) -> TrajectoryLayout:
    act: Normalizer | DiscreteActions
    if isinstance(space, gym.spaces.Discrete):
        act = DiscreteActions(int(space.n), int(space.start), entry["act"]["encoding"])
    else:
        act = _normalizer(entry["act"])
    shape = entry["obs_shape"]
    return TrajectoryLayout(
        int(entry["horizon"]),
        int(entry["stride"]),
        _normalizer(entry["obs"]),
        act,
        ObservationLayout.from_json(entry["obs_layout"]),
        None if shape is None else tuple(int(size) for size in shape),
        bool(entry["absorbing"]),
    )


def _normalizer_json(normalizer: Normalizer) -> dict[str, list[float]]:
    return {"loc": normalizer.loc.tolist(), "scale": normalizer.scale.tolist()}


def _normalizer(entry: Mapping[str, Any]) -> Normalizer:
    return Normalizer(torch.tensor(entry["loc"]), torch.tensor(entry["scale"]))
