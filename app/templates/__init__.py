"""The page that reports are made of."""
