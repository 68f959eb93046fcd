"""Gridworld modules."""
