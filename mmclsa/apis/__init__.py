"""apis of mmclsa."""
