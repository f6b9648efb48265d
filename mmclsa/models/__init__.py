"""models of mmclsa."""
