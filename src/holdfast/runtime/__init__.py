"""The shell around the core: it does and never decides. Executor, preparation, recovery, ownership, time."""
