"""Imitate modules."""
