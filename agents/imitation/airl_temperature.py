"""Temperature of adversarial inverse RL.

`airl_temperature`  entropy weight under which AIRL's f is a reward of the policy
"""

from typing import Any

from tianshou.algorithm.modelfree.sac import Alpha, FixedAlpha

from rlpriors.rewards.discriminators import Discriminator

__all__ = ["airl_temperature"]


def airl_temperature(temperature: float | None, discriminator: Discriminator, algorithm: Any) -> float:
    """Return the temperature T of D = sigmoid(f / T - log pi(a|s)), 1 for None.

    A maximum-entropy policy of temperature T has f = T log pi(a|s) where the discriminator does not separate
    both, so that T must be the entropy weight that the policy is trained with.

    Raises:
        ValueError: the discriminator reads no log pi(a|s), or `algorithm` is SAC with another alpha.

    Example:
        >>> from rlpriors.rewards import AIRLReward, AIRLSettings
        >>> airl_temperature(None, AIRLReward(AIRLSettings(obs_dim=1, act_dim=1)), None)
        1.0
    """
    if temperature is None:
        return 1.0
    if not discriminator.subtracts_log_prob:
        raise ValueError(
            f"`temperature` must be None for a {type(discriminator).__name__}, which reads no log pi(a|s). "
            f"Received {temperature}; use an AIRLReward."
        )
    while hasattr(algorithm, "wrapped_algorithm"):
        algorithm = algorithm.wrapped_algorithm
    alpha = getattr(algorithm, "alpha", None)
    if isinstance(alpha, Alpha) and not (isinstance(alpha, FixedAlpha) and alpha.value == temperature):
        received = alpha.value if isinstance(alpha, FixedAlpha) else "an automatic one"
        raise ValueError(
            f"`temperature` must be the fixed alpha of SAC. Received {temperature} and an alpha of {received}"
            f"; create SAC with alpha={temperature}."
        )
    return temperature
