"""The installed commands, one module each: they parse arguments, print and exit."""
