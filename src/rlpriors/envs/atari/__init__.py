"""Atari modules."""
