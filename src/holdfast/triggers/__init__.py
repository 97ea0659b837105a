"""Actions, and what fires them: cron, watchers, scanners. Pure decisions, and next to them the few parts that do.

file, reading        triggers.yaml -> definitions, or every problem with its place
actions, rules, cron, watching, scanning, conditions, values, agenda      decide
commands, sources, changes                                                do
"""
