"""The HTTP face: an API for programs, a door for agents, and what the dashboard in the browser needs. Decides nothing.

`routes` is the table of everything that can be asked. `door` lets nobody in whom the table does not name.
"""
