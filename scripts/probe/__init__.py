"""Probe modules."""
