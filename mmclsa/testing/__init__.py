"""testing of mmclsa."""
