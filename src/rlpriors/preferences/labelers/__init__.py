"""Sources of labels.

`base`      `PreferenceLabeler`: protocol of labelers
`oracle`    answers from true rewards, with errors on request
`function`  answers of a function, such as a vision-language model that the user runs
`cached`    answers of an earlier session
`terminal`  answers of a person in a terminal
`page`      answers of a person on a local page
`server`    the web server of this page
"""

from rlpriors.preferences.labelers.base import Label, PreferenceLabeler, StopLabeling, UndoLabel
from rlpriors.preferences.labelers.cached import CachedLabeler
from rlpriors.preferences.labelers.function import CallableLabeler, parse_answer
from rlpriors.preferences.labelers.oracle import OracleLabeler
from rlpriors.preferences.labelers.page import PageLabeler
from rlpriors.preferences.labelers.terminal import TerminalLabeler

__all__ = [
    "CachedLabeler",
    "CallableLabeler",
    "Label",
    "OracleLabeler",
    "PageLabeler",
    "PreferenceLabeler",
    "StopLabeling",
    "TerminalLabeler",
    "UndoLabel",
    "parse_answer",
]
