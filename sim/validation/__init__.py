"""Every reference that the project is held to, as checks that yield rows with a verdict."""
