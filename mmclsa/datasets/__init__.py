"""datasets of mmclsa."""
