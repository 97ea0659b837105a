"""The commands: what is asked of `app`, and which view shows the answer."""
