"""The sections of triggers.yaml, a module each: what is checked at which key, and what a sound entry becomes.

place                                what every part shares: where it reads, and the problems that were found
checks, sources                      what several sections write in the same way
actions, cron, watchers, scanners    the sections
"""
