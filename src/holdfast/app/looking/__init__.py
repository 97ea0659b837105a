"""What can be seen of runs, locks, tenants and hosts, without touching anything."""
