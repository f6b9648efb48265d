"""transforms of mmclsa."""
