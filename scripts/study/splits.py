"""Names of the splits of a study.

`SPLITS`    splits of the pretraining data of environments
`CONTROLS`  splits without pretraining, or with shuffled pixels
"""

__all__ = ["CONTROLS", "SPLITS"]

SPLITS = ("far", "mid", "near", "target", "mix")
"""Splits of the pretraining data of environments, the farthest first; "mix" has equal parts of the others."""
CONTROLS = ("none", "shuffled", "scratch")
"""No pretraining; pretraining on the target's frames with shuffled pixels; no pretraining, and a segmentation
(in mode "full") that processes the additional images of the pretraining."""
