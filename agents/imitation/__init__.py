"""Imitation modules."""
