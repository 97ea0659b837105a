"""The durable, ordered log, and what is folded from it: runs, history, stats, locks, checkpoints."""
