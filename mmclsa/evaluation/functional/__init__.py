"""functional of mmclsa."""
