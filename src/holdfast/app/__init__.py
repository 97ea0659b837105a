"""Use cases and wiring: the only place that names concrete drivers and stores, and what every face calls."""
