"""Actions, cron, watchers and scanners over one engine."""
