"""The files of one target as the steps so far would leave them: what was seen, under what is predicted.

Built once per fold from the log of predicted changes, and brought up to date before each question. `nodes` holds what
is predicted at exactly a path. `bases` says where to look for what lies beneath a path that is no longer the
directory that was seen there: nowhere, at another place (it was moved), or in the entries of a change. All keys are
real paths: links on the way, predicted ones included, are followed first.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from holdfast.core.change import Change, Depth, Facts
from holdfast.core.predict import Unfit, View
from holdfast.kinds.content import Content
from holdfast.kinds.node import ABSENT, Node

LINKS_MAX: Final = 40  # as many as the kernel follows before it calls it a loop
_NODE: Final = Depth.NODE


class Base(NamedTuple):
    """Where what lies beneath a path comes from: `place` in the seen world, or `entries`; else there is nothing."""

    place: str | None = None
    entries: dict[str, Node] | None = None


NOTHING: Final = Base()


class Room(NamedTuple):
    """A directory in which something may be made, replaced and removed, with what its newcomers inherit."""

    path: str  # its real path
    node: Node
    device: int
    free: int  # bytes; -1: unknown
    gid: int  # group of what is made in it
    handed_on: int  # the setgid bit, which new directories in it inherit


def ground_of(view: View, target: str | None = None) -> Ground:
    notes = view.notes(target)
    ground = notes.get("files")
    if type(ground) is not Ground:
        ground = notes["files"] = Ground(View(view.world, "", target or view.target))
    ground.catch_up()
    return ground


class Ground:
    def __init__(self, view: View) -> None:
        self.nodes: dict[str, Node] = {}
        self.bases: dict[str, Base] = {}  # its keys are also keys of `nodes`
        self.means: dict[str, Content] = {}  # how the content of a predicted file comes about
        self._view = view
        self._log = view.log()
        self._done = 0  # how much of the log is in here
        self._facts: Facts | None = None
        self._spent: dict[int, int] = {}  # by device: bytes that the steps so far would take
        self._plain: set[str] = set()  # directories that have no base, nor has any above them
        self._touched: set[str] = set()  # every directory with something predicted beneath it
        self._reals: dict[str, str] = {}  # folder -> its real path
        self._relinked: set[str] = set()  # folders whose real path goes through a predicted link
        self._rooms: dict[str, Room] = {}  # by real path

    def facts(self) -> Facts:
        if self._facts is None:
            self._facts = self._view.facts()
        return self._facts

    # -- what is at a path

    def node(self, path: str, depth: Depth = _NODE) -> Node:
        """The predicted node at a path; a link at its end is not followed."""
        place = self.real(path)
        found = self.nodes.get(place)
        if found is None:
            found = self._beneath(place, depth, path)
        elif depth is not _NODE:
            found = self._deepened(place, found, depth)
        if depth is _NODE or depth is Depth.CONTENT:
            return found if found.entries is None else found._replace(entries=None)
        if found.type == "dir" and place in self._touched:
            return found._replace(entries=self._overlaid(place, found, depth))
        return found

    def is_empty(self, path: str) -> bool:
        """Is nothing in a directory?"""
        place = self.real(path)
        if place in self.nodes or place in self._touched or self._base(place) is not None:
            return not self.node(path, Depth.SHAPE).entries
        return bool(self.node(path, Depth.CONTENT).empty)

    def followed(self, path: str, depth: Depth = _NODE) -> tuple[str, Node]:
        """The real path and the node after all links."""
        for _ in range(LINKS_MAX):
            found = self.node(path, depth)
            if found.type != "link":
                return self.real(path), found
            path = joined(split(self.real(path))[0], found.target)
        raise Unfit("conflict", f"`{path}` is a loop of links")

    def real(self, path: str) -> str:
        """The path with the links on the way to it followed."""
        folder = path[: path.rfind("/")] or "/"
        real = self._reals.get(folder) or self._resolved(folder)
        return path if real == folder else under(real, path[path.rfind("/") + 1 :])

    def bytes_at(self, path: str) -> bytes | None:
        """The content of a file; None when it was too large to be read."""
        found = self.node(path, Depth.CONTENT)
        means = self._means_of(self.real(path))
        if found.content is not None or means is None or means.data is not None:
            return found.content
        place, target = (means.path, "local") if means.path is not None else (means.origin, None)
        source = self._view.seen(place, Depth.CONTENT, target) if place else ABSENT
        return source.content if isinstance(source, Node) and source.digest == found.digest else None

    def _means_of(self, place: str) -> Content | None:
        """How the content of a file comes about: as the file's own, or as part of a tree's."""
        means, base = self.means.get(place), self._base(place)
        if means is not None or base is None or not base[1]:
            return means
        tree = self.means.get(place[: -len(base[1]) - 1])
        return tree.below(base[1]) if tree is not None else None

    # -- where something may be made

    def room(self, path: str) -> Room:
        """The directory that holds a path, if entries may be made and replaced in it; Unfit says why not."""
        folder = path[: path.rfind("/")] or "/"
        real = self._reals.get(folder) or self._resolved(folder)
        found = self._rooms.get(real)
        if found is None:
            found = self._rooms[real] = self._opened(folder, real)
        return found

    def spend(self, room: Room, size: int) -> None:
        """Count the bytes that a step will need."""
        total = self._spent[room.device] = self._spent.get(room.device, 0) + size
        if 0 <= room.free < total:
            raise Unfit("no_space", f"the plan needs {total} bytes on the file system of `{room.path}`; {room.free} are free")

    def _opened(self, folder: str, real: str) -> Room:
        node = self.node(real)
        if not node.exists:
            raise Unfit("parent_not_found", f"the directory `{folder}` does not exist", missing=folder)
        if node.type != "dir":
            raise Unfit("conflict", f"`{folder}` is a {noun(node)}, not a directory", "name another parent, or replace it")
        if node.readonly:
            raise Unfit("read_only", f"`{folder}` is on a file system that is mounted read-only")
        if not node.writable:
            raise Unfit("permission_denied", f"the effective user may not change entries of `{folder}`")
        facts = self.facts()
        setgid = node.mode & 0o2000
        device, free = node.dev, node.free
        if real in self.nodes and not device and real != "/":
            above = self.room(real)
            device, free = above.device, above.free
        return Room(real, node, device, free, node.gid if setgid else facts.gid, setgid)

    # -- real paths

    def _resolved(self, folder: str) -> str:
        path = folder if folder == "/" else self.real(folder)
        self._reals[folder] = path  # for now, so that a loop of links comes to an end
        if split(folder)[0] in self._relinked:
            self._relinked.add(folder)
        asked = folder
        for _ in range(LINKS_MAX):
            found = self._link_at(asked)
            if found.type != "link":
                break
            if path in self.nodes or self._base(path):
                self._relinked.add(folder)
            asked = path = self.real(joined(split(path)[0], found.target))
        else:
            del self._reals[folder]
            raise Unfit("conflict", f"`{folder}` is a loop of links")
        self._reals[folder] = path
        return path

    def _link_at(self, path: str) -> Node:
        try:
            return self.node(path)
        except Unfit:
            return ABSENT  # what may not be looked at is no link to us

    # -- what lies beneath

    def _base(self, path: str) -> tuple[Base, str] | None:
        """The base of the path itself, or of the nearest directory above it with one, and the rest of the path."""
        bases = self.bases
        home = path[: path.rfind("/")]
        if home in self._plain and path not in bases:
            return None
        folder = path
        while folder:
            base = bases.get(folder)
            if base is not None:
                return base, path[len(folder) + 1 :]
            folder = folder[: folder.rfind("/")]
        self._plain.add(home)
        return None

    def _beneath(self, place: str, depth: Depth, path: str) -> Node:
        """What was at a place before anything was predicted for exactly this place."""
        found = self._base(place)
        if found is None:
            same = place == path or split(path)[0] not in self._relinked  # links that were seen lead there in truth
            state = self._view.seen(path if same else place, depth)
        elif found[0].entries is not None:
            return _part(found[0].entries, found[1], depth)
        elif found[0].place is None:
            return ABSENT
        else:
            state = self._view.seen(under(found[0].place, found[1]) if found[1] else found[0].place, depth)
        assert isinstance(state, Node)
        if not state.readable and not state.exists:
            raise Unfit("permission_denied", f"the effective user may not look at `{path}`")
        return state

    def _deepened(self, place: str, found: Node, depth: Depth) -> Node:
        """A predicted node with what only a closer look tells: the content of a file, the entries of a directory."""
        if found.type == "file" and found.digest is None and place not in self.means:
            full = self._beneath(place, Depth.CONTENT, place)
            if full.stamp == found.stamp:
                return found._replace(digest=full.digest, content=full.content, xattrs=full.xattrs)
        if found.type == "dir" and found.entries is None and depth.value >= Depth.SHAPE.value:
            return found._replace(entries=self._beneath(place, depth, place).entries or {})
        return found

    def _overlaid(self, place: str, found: Node, depth: Depth) -> dict[str, Node]:
        entries = dict(found.entries or {})
        closely = Depth.CONTENT if depth is Depth.TREE else _NODE
        for rest in self._beneath_of(place):
            key = under(place, rest)
            node = self.nodes[key]
            if (rest in entries and node.type != "dir") or key in self.bases:
                for old in [old for old in entries if old.startswith(f"{rest}/")]:
                    del entries[old]
            if not node.exists:
                entries.pop(rest, None)
                continue
            full = self._deepened(key, node, depth if key in self.bases else closely)
            entries[rest] = full._replace(entries=None)
            entries.update((f"{rest}/{name}", child) for name, child in (full.entries or {}).items())
        return entries

    # -- what the plan does

    def catch_up(self) -> None:
        log = self._log
        while self._done < len(log):
            change = log[self._done]
            self._done += 1
            if isinstance(change.after, Node):
                self._enter(change, change.after)

    def _enter(self, change: Change, after: Node) -> None:
        before, key = change.before, self.real(change.key)
        assert isinstance(before, Node)
        self._unlearn(key)
        if change.origin is not None:
            self._move(self.real(change.origin), key, after)
        elif after.entries is not None:
            self._rebase(key, Base(entries=after.entries))
        elif before.type in ("dir", "link") if after.type != "dir" else before.type != "dir":
            self._rebase(key, NOTHING)
        self.nodes[key] = after if change.origin is None else after._replace(around_ns=0)  # that was of its old place
        if isinstance(change.means, Content):
            self.means[key] = change.means
        elif self.means and change.origin is None and before.digest != after.digest:
            self.means.pop(key, None)
        self._touch(key)

    def _move(self, place: str, key: str, after: Node) -> None:
        base = self._base(place)
        inner = [(name, under(place, name)) for name in self._beneath_of(place)]
        found = [(name, self.nodes.pop(old), self.bases.pop(old, None), self.means.pop(old, None)) for name, old in inner]
        means = self.means.pop(place, None)
        self._rebase(key, _moved_base(base, place) if after.entries is None else Base(entries=after.entries))
        for name, node, inner_base, inner_means in found if after.entries is None else ():
            self.nodes[under(key, name)] = node
            if inner_base is not None:
                self.bases[under(key, name)] = inner_base
            if inner_means is not None:
                self.means[under(key, name)] = inner_means
            self._touch(under(key, name))
        self._unlearn(place)
        self.nodes[place], self.bases[place] = ABSENT, NOTHING
        self._plain.clear()
        self._touch(place)
        if means is not None:
            self.means[key] = means

    def _rebase(self, key: str, base: Base) -> None:
        for name in self._beneath_of(key):
            old = under(key, name)
            del self.nodes[old]
            self.bases.pop(old, None)
            self.means.pop(old, None)
        self.bases[key] = base
        self._plain.clear()

    def _beneath_of(self, key: str) -> list[str]:
        """What is predicted beneath a path, relative to it; parents first."""
        if key not in self._touched:
            return []
        prefix = under(key, "")
        return sorted(path[len(prefix) :] for path in self.nodes if path.startswith(prefix))

    def _touch(self, key: str) -> None:
        folder = key[: key.rfind("/")] or "/"
        while folder not in self._touched:
            self._touched.add(folder)
            folder = split(folder)[0]

    def _unlearn(self, key: str) -> None:
        """Forget what was derived from a directory or link that changes now."""
        if key in self._reals or key in self._rooms:
            self._reals.clear()
            self._relinked.clear()
            self._rooms.clear()


def split(path: str) -> tuple[str, str]:
    """Folder and name; the folder of `/x` is `/`, and so is that of `/`."""
    folder, _, name = path.rpartition("/")
    return folder or "/", name


def under(folder: str, name: str) -> str:
    return f"/{name}" if folder == "/" else f"{folder}/{name}"


def normal(path: str) -> str:
    """An absolute path without empty parts, `.` and `..`."""
    if "//" not in path and "/." not in path and not path.endswith("/"):
        return path  # as nearly all are
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part and part != ".":
            parts.append(part)
    return "/" + "/".join(parts)


def joined(folder: str, path: str) -> str:
    """What a path means that is read in a folder."""
    return normal(path if path.startswith("/") else f"{folder}/{path}")


def noun(node: Node) -> str:
    return _NOUNS.get(node.type, node.type)


_NOUNS: Final = {"dir": "directory", "char": "device", "block": "device"}


def _part(entries: dict[str, Node], path: str, depth: Depth) -> Node:
    """One node of the entries of a directory, with what lies beneath it."""
    found = entries.get(path, ABSENT) if path else Node("dir")
    if found.type != "dir" or depth.value < Depth.SHAPE.value:
        return found
    prefix = f"{path}/" if path else ""
    beneath = {name[len(prefix) :]: node for name, node in entries.items() if name.startswith(prefix)}
    return found._replace(entries=beneath)


def _moved_base(found: tuple[Base, str] | None, place: str) -> Base:
    if found is None:
        return Base(place=place)
    base, rest = found
    if base.entries is not None:
        return Base(entries=_part(base.entries, rest, Depth.SHAPE).entries or {})
    return base if base.place is None or not rest else Base(place=under(base.place, rest))
