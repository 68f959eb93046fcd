"""Linear probes of encoders on Atari games.

Protocol, games and published scores are those of AtariARI (arXiv 1906.08226).

`cells`      jobs of one game and seed, and the scores of one encoder and readout
`choice_report`  tables of the guide "which encoder and readout"
`published`  scores that AtariARI reports
`report`     Markdown tables of the results
`run`        command that probes
`training`   encoders that are trained before they are probed
"""
