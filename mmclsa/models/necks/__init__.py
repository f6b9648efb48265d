"""necks of mmclsa."""
