"""Asking whether things are well, and waiting: what a step does without changing anything."""
