"""Drivers: code that inspects and applies changes of one family of resources. They do not know each other."""
