"""mmclsa of mmclsa."""
