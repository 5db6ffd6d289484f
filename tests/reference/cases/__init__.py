"""One module for each file of reference vectors; each has `build(book)`."""
