"""Hosts over SSH as targets: files through a worker that is sent there, programs, probes, and the dead man's switch.

`worker`, `wire` and `timer` run on the host as well, so they are standard library only and understood by Python 3.8,
like the file engine they carry with them. Everything else here runs where Holdfast runs. Connections are made by
`holdfast.ssh`, and by nobody else.
"""
