"""Services over HTTP: the one door to them, and the driver of the generic `http` kind."""
