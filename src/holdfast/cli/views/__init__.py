"""Documents of `app` as lines for people. Pure: data in, lines out."""
