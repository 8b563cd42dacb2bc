"""Pictures: reading any input, cutting squares out, changing them."""
