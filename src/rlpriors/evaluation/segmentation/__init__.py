"""Segmentation modules."""
