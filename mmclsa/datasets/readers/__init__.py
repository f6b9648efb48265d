"""readers of mmclsa."""
