"""Finding what a user named: a file or a module, and the object in it."""
