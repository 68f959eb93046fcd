"""Losses of rewards that are learned from comparisons and grades.

`losses`  Bradley-Terry loss of labeled pairs, and the ordinal loss of graded segments
"""
