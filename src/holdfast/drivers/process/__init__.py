"""Programs and scripts: effects that have no state of their own."""
