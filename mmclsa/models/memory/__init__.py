"""memory of mmclsa."""
