"""Photos modules."""
