"""What can be configured, one row per field, written for this simulator alone: a client's own tables must not be these."""
