"""The face for AI agents: the tools, resources and prompts of the Model Context Protocol, over standard input or HTTP.

`agent` says what an agent may do and does it, `tools` is the table of what it can ask for, `untrusted` is how it is told
what hosts and services said, `server` speaks the protocol, `stdio` and `mounted` carry it. It decides nothing about runs.
"""
