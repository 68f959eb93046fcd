"""placeholder"""


def report(rows, docs): ...
