"""visualization of mmclsa."""
