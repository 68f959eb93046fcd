"""Weighted F1 scores that AtariARI reports.

`PUBLISHED`         scores by game, in the order of `PUBLISHED_METHODS`
`PUBLISHED_METHODS` methods of the scores
"""

__all__ = ["PUBLISHED", "PUBLISHED_METHODS"]

PUBLISHED_METHODS = ("majority", "random-cnn", "st-dim", "supervised")
PUBLISHED = {
    # Anand et al. 2019, arXiv 1906.08226, F1 of probes by game, 50000 steps of a random agent.
    "asteroids": (0.28, 0.34, 0.49, 0.52),
    "berzerk": (0.18, 0.43, 0.53, 0.68),
    "bowling": (0.33, 0.48, 0.96, 0.95),
    "boxing": (0.01, 0.19, 0.58, 0.83),
    "breakout": (0.17, 0.51, 0.88, 0.94),
    "demonattack": (0.16, 0.26, 0.69, 0.83),
    "freeway": (0.01, 0.50, 0.81, 0.98),
    "frostbite": (0.33, 0.57, 0.75, 0.85),
    "hero": (0.42, 0.75, 0.93, 0.98),
    "montezumarevenge": (0.08, 0.68, 0.78, 0.87),
    "mspacman": (0.10, 0.48, 0.72, 0.87),
    "pitfall": (0.07, 0.34, 0.60, 0.83),
    "pong": (0.10, 0.17, 0.81, 0.87),
    "privateeye": (0.23, 0.70, 0.91, 0.97),
    "qbert": (0.29, 0.49, 0.73, 0.76),
    "riverraid": (0.04, 0.34, 0.36, 0.57),
    "seaquest": (0.29, 0.57, 0.67, 0.85),
    "spaceinvaders": (0.14, 0.41, 0.57, 0.75),
    "tennis": (0.09, 0.41, 0.60, 0.81),
    "venture": (0.09, 0.36, 0.58, 0.68),
    "videopinball": (0.09, 0.37, 0.61, 0.82),
    "yarsrevenge": (0.01, 0.22, 0.42, 0.74),
}
