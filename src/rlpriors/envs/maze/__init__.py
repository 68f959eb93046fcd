"""Maze modules."""
