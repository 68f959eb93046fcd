"""Demonstrate modules."""
