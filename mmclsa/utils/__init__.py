"""utils of mmclsa."""
