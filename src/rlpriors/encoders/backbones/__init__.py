"""Backbones modules."""
