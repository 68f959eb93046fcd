"""Probing modules."""
