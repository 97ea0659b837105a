"""The worker of a host that has no Python: a POSIX shell, told what to do by groups of calls over its standard input.

The `.sh` files run on the host and need what coreutils and busybox have in common. `words` says things to a shell,
`answers` reads what it says, `orders` makes a batch of calls out of orders, `worker` asks.
"""
