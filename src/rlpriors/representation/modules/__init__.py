"""Modules modules."""
