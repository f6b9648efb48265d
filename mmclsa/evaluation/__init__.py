"""evaluation of mmclsa."""
