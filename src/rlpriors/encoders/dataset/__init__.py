"""Dataset modules."""
