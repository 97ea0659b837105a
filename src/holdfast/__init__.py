"""Holdfast applies a change to real systems the way a database commits a transaction."""

__version__ = "0.1.0"
