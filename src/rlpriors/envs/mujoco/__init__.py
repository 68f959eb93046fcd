"""Mujoco modules."""
