"""metrics of mmclsa."""
