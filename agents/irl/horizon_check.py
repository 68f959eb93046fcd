"""Check of demonstrations that end by termination.

`check_horizons`     refusal of terminating demonstrations, unless the length of an episode is handled
`check_guided_ends`  warning of negatives that end when the reward makes them end
"""

import logging

from rlpriors.agents.diffusion.trajectory_layout import TrajectoryLayout
from rlpriors.data.episodes import EpisodeStore

__all__ = ["check_guided_ends", "check_horizons"]

_log = logging.getLogger(__name__)


def check_horizons(
    demonstrations: EpisodeStore, layout: TrajectoryLayout, allow_variable_horizon: bool
) -> None:
    """Raise if demonstrations end by termination and windows do not show it.

    Where an episode can terminate, its length is part of the task: a reward that is positive everywhere pays
    for long episodes, a negative one for short ones.  Windows inside of episodes do not determine this sign,
    so a policy can succeed or fail by it alone (Freire et al. 2020, arXiv 2012.01365, section 4; Kostrikov
    et al. 2019, arXiv 1809.02925, section 4).  Absorbing states show terminations to the prior and the
    reward.

    Args:
        demonstrations: demonstrations of the training.
        layout: layout of the policy's windows.
        allow_variable_horizon: log a warning instead.

    Raises:
        ValueError: an episode ends by termination, the layout is not `absorbing`, and
            `allow_variable_horizon` is False.
    """
    n_ended = int(demonstrations.terminated.sum())
    if layout.absorbing or not n_ended:
        return
    message = (
        f"{n_ended} of {demonstrations.n_episodes} demonstrations end by termination, and windows do not "
        "show it: the sign of the learned reward is arbitrary, and decides if an agent ends its episodes "
        "or continues. "
    )
    if not allow_variable_horizon:
        raise ValueError(
            f"{message}Fit the layout by TrajectoryLayout.fit(..., absorbing=True) and train the prior with "
            "it, or record demonstrations of a fixed length in an environment that does not terminate. To "
            "accept the risk, set `allow_variable_horizon=True` in DiffusionIRLSettings."
        )
    _log.warning("%sTrain and use it with episodes of a fixed length, or shift it.", message)


def check_guided_ends(demonstrations: EpisodeStore, layout: TrajectoryLayout, guided_only: bool) -> None:
    """Log a warning if demonstrations end by termination and all negatives are guided samples.

    A guided sample ends as early as the prior allows.  If it ends before the demonstration, the contrast
    raises the rewards of all further steps, and an agent learns to avoid the end that was demonstrated.

    Args:
        demonstrations: demonstrations of the training.
        layout: layout of the policy's windows.
        guided_only: True if all negatives are guided samples.
    """
    if layout.absorbing and guided_only and demonstrations.terminated.any():
        _log.warning(
            "All negatives are guided samples, and demonstrations end by termination: the samples may end "
            "earlier, and the reward then pays for long episodes. Give `prior_data`, or other data as "
            "`reference`."
        )
