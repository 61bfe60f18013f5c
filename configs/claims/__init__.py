"""Published figures, each listed once with source, certainty and role, before it is used."""
