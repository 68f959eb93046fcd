"""Readouts modules."""
