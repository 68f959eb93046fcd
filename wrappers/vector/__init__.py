"""Vector modules."""
