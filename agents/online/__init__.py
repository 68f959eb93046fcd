"""Online modules."""
