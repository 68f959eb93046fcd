"""Demo modules."""
