"""Operation kinds: one small module each. Arguments, claims and changes; all of it pure."""
