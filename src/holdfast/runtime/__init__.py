"""The shell around the core: it does and never decides. Preparation, the loop, ownership, time, and what is told of a run."""
