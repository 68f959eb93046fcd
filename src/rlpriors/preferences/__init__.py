"""Comparisons of recorded segments: pairs, labelers, and labels on disk.

`clips`           `Clip`: one segment of an episode, with pictures
`labels`          `Label`: answer to one comparison
`preference_set`  `PreferenceSet`: labeled pairs of one data set
`label_file`      files of labels, which outlive a killed session
`samplers`        choice of pairs: uniform, by disagreement, by novelty
`collect`         collection of labels, resumable
`pictures`        pictures of segments
`labelers`        sources of labels: true rewards, functions, files, people
"""

from rlpriors.preferences.clips import Clip, cut_clip
from rlpriors.preferences.collect import collect_preferences
from rlpriors.preferences.labelers import (
    CachedLabeler,
    CallableLabeler,
    Label,
    OracleLabeler,
    PageLabeler,
    PreferenceLabeler,
    TerminalLabeler,
    parse_answer,
)
from rlpriors.preferences.pictures import ClipPainter
from rlpriors.preferences.preference_set import PreferenceSet
from rlpriors.preferences.samplers import disagreement_pairs, novel_pairs, uniform_pairs

__all__ = [
    "CachedLabeler",
    "CallableLabeler",
    "Clip",
    "ClipPainter",
    "Label",
    "OracleLabeler",
    "PageLabeler",
    "PreferenceLabeler",
    "PreferenceSet",
    "TerminalLabeler",
    "collect_preferences",
    "cut_clip",
    "disagreement_pairs",
    "novel_pairs",
    "parse_answer",
    "uniform_pairs",
]
