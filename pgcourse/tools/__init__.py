"""Tools that build and check the course; a reader does not need them."""
