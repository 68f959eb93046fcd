"""Benchmarks modules."""
