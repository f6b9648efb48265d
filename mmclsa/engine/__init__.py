"""engine of mmclsa."""
