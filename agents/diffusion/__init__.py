"""Diffusion modules."""
