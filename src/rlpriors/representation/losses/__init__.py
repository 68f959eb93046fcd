"""Losses modules."""
