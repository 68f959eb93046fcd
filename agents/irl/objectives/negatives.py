"""Windows that an objective compares demonstrations with.

`guided_samples`  one guided window from each start state
`negatives`       windows of the chosen sources, or of the objective's own source
`own_source`      source of an objective without a reference
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from jaxtyping import Float
from torch import Tensor

from rlpriors.agents.irl.objectives.base import ObjectiveInput
from rlpriors.agents.irl.reference import ReferenceSource
from rlpriors.diffusion import Planner

__all__ = ["guided_samples", "negatives", "own_source"]


def negatives(
    update: ObjectiveInput,
    own_sources: Sequence[ReferenceSource],
    sample: Callable[[Float[Tensor, "n obs"]], Float[Tensor, "n horizon dim"]] | None = None,
) -> Float[Tensor, "batch horizon dim"]:
    """Draw one normalized window for each demonstrated one, from the sources of `update.reference`.

    Args:
        update: inputs of the update.
        own_sources: sources without a reference, see `own_source`.
        sample: function from raw start observations to windows, in place of `guided_samples`.
    """
    guided = sample or (lambda start: guided_samples(update, start))

    def draw(source: str, n: int) -> Tensor:
        if source == "guided":
            return guided(update.window.obs[:n, 0])
        assert update.sample_prior_data is not None
        data = update.sample_prior_data(n)
        return data if source == "prior_data" else guided(update.policy.layout.unpack(data)[0][:, 0])

    n = len(update.expert)
    if update.reference is None:
        has_data = update.sample_prior_data is not None
        absorbing = update.policy.layout.absorbing
        source = own_source(own_sources, has_goals=update.has_goals, absorbing=absorbing, has_data=has_data)
        return draw(source, n)
    return update.reference.draw(n, update.n_updates, draw)


def own_source(
    own_sources: Sequence[ReferenceSource], *, has_goals: bool, absorbing: bool, has_data: bool
) -> ReferenceSource:
    """Return the source that an objective takes without a reference: the first one whose data is given.

    Where observations contain goals of episodes, guided samples come first, because they start where
    demonstrations do and share their goals.  They do not where windows continue beyond terminations: a
    sample may end before the demonstration does, which would make long episodes better.

    Args:
        own_sources: sources of the objective, in their order.
        has_goals: observations contain a goal of each episode.
        absorbing: windows continue beyond terminations.
        has_data: the prior's data is given.

    Example:
        >>> sources = "prior_data", "guided"
        >>> own_source(sources, has_goals=True, absorbing=False, has_data=True)
        'guided'
        >>> own_source(sources, has_goals=True, absorbing=True, has_data=True)
        'prior_data'
    """
    if has_goals and "guided" in own_sources and not absorbing:
        return "guided"
    return next(source for source in own_sources if source == "guided" or has_data)


def guided_samples(
    update: ObjectiveInput, start: Float[Tensor, "n obs"] | None = None
) -> Float[Tensor, "n horizon dim"]:
    """Sample one window from each raw start observation, guided by the averaged reward.

    By default windows start where the demonstrated ones do.  The planner ranks no candidates here.  Ranking
    would make the samples as good as the demonstrations too early, and the contrast would vanish.
    """
    policy = update.policy
    settings = replace(policy.planner, n_candidates=1, warm_start=0.0, likelihood_weight=0.0)
    planner = Planner(policy.process, policy.denoiser, settings)
    start = update.window.obs[:, 0] if start is None else start
    value = policy.layout.value(update.averaged)
    return planner.plan(policy.layout.start(start), value, generator=update.generator).window
