"""Pretraining data of encoders.

Studies and pretraining themselves are done by `rlpriors study` and `rlpriors pretrain`.

`bundle_atari`         command that trains the Atari encoders that ship with the library
`distribution`         command that compares pretraining distributions
`distribution_report`  Markdown tables and figures of that comparison
"""
