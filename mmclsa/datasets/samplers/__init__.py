"""samplers of mmclsa."""
