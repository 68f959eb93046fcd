"""Envs modules."""
