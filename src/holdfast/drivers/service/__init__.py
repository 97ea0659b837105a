"""Services over HTTP whose configuration is one document, and listeners that are told of it."""
