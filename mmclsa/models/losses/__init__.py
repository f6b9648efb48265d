"""losses of mmclsa."""
