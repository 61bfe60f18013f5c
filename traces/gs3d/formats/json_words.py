"""What is wrong with a JSON file, in plain words."""

from __future__ import annotations

import json

__all__ = ["json_problem"]


def json_problem(error: ValueError | KeyError | IndexError | TypeError | OSError) -> str:
    """Return what reading a JSON file or using its content ran into."""
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or error}"
    if isinstance(error, UnicodeDecodeError):
        return f"not JSON: byte {error.start} is no text"
    if isinstance(error, json.JSONDecodeError):
        if error.pos >= len(error.doc.rstrip()):
            return f"truncated or not JSON: it ends in the middle, in line {error.lineno}"
        return f"truncated or not JSON: wrong from line {error.lineno}, column {error.colno} on"
    if isinstance(error, KeyError):
        return f"it lacks {error}"
    return f"a value of the wrong kind or size: {error}"
