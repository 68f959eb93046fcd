"""Study modules."""
