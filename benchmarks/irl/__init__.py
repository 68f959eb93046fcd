"""Irl modules."""
