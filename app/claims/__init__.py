"""Published figures beside measured ones: what is claimed, what we find, and why they differ."""
