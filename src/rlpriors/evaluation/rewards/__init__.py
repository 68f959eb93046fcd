"""Rewards modules."""
