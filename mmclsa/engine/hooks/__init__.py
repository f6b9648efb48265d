"""hooks of mmclsa."""
