"""The pure heart: it decides and never does.

Standard library only; no I/O, no clock, no randomness, no logging, no asyncio.
Time, ids and limits come in as arguments; decisions go out as events and effects.
"""
