"""Transforms modules."""
