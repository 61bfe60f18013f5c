"""Parts of the bitonic sorting unit."""
