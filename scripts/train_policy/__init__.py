"""Train policy modules."""
