"""searchers of mmclsa."""
