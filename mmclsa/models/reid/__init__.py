"""reid of mmclsa."""
