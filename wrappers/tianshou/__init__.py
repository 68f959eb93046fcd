"""Tianshou modules."""
