"""What the scripts' command lines share."""

from __future__ import annotations


def positive(text: str) -> int:
    """Read an integer of at least 1; argparse names the argument in its error."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


positive.__name__ = "positive integer"  # as argparse calls it: "invalid positive integer value"
