"""Paths: local ones, ones in memory, and (with the same engine, carried there) those of other machines.

`engine` and what it imports here are synchronous, standard library only and understood by Python 3.8, because they are
sent to remote hosts as they are; `local` and `memory` put the contract of a driver around them.
"""
