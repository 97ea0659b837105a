"""What outlives a run: what is managed, checkpoints, the way back to them, drift, and how long it is kept."""
