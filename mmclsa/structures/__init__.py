"""structures of mmclsa."""
