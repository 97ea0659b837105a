"""Many runs and many callers in one process."""
