"""What the kinds of files have in common: their arguments, and the rules by which something is put, kept or refused.

Pure: every answer comes from the predicted ground. What may not be done is refused here, before anything is touched;
what is made gets the owner, group and mode that the system would give it, so that the after-state can be predicted.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Final, Literal

from holdfast.core.change import Change, Claim, Depth, Facts, Guarantee
from holdfast.core.predict import Unfit, View
from holdfast.kinds.content import Content
from holdfast.kinds.contract import Flaw, Kind, Mode
from holdfast.kinds.ground import Ground, Room, ground_of, noun, under
from holdfast.kinds.node import ABSENT, Account, Node

OnConflict = Literal["fail", "overwrite", "backup", "skip"]

USER: Final = "@user/"  # looks at such keys are answered with an Account
GROUP: Final = "@group/"
_PATH_BYTES_MAX: Final = 4095
_NAME_BYTES_MAX: Final = 255


class Files(Kind, frozen=True, kw_only=True):
    """A kind whose steps work on paths."""

    family: ClassVar[str] = "files"
    there: ClassVar[tuple[str, ...]] = ("path",)  # all of them absolute and plain by now

    def flaws(self) -> Iterator[Flaw]:
        for field in (*self.there, *self.here):
            path = getattr(self, field)
            if path is not None:
                yield from flaws_of_path(field, path)


class FromTo(Files, frozen=True, kw_only=True):
    """A kind that brings what stands at one path to another."""

    main: ClassVar[str] = "source"
    there: ClassVar[tuple[str, ...]] = ("source", "to")

    source: str
    to: str
    on_conflict: OnConflict = "fail"

    def flaws(self) -> Iterator[Flaw]:
        yield from super().flaws()
        if nested(self.source, self.to):
            within = f"`{self.source}` and `{self.to}` lie within one another"
            yield Flaw("to", within, "conflict", "name a destination beside it")


class Owned(Files, frozen=True, kw_only=True):
    """A kind that may set permissions and owners."""

    mode: Mode | None = None
    owner: int | str | None = None
    group: int | str | None = None

    def flaws(self) -> Iterator[Flaw]:
        yield from super().flaws()
        for field, name in (("owner", self.owner), ("group", self.group)):
            if isinstance(name, int) and not 0 <= name < 2**32 - 1:
                yield Flaw(field, f"{name} is not an id")
            elif isinstance(name, str) and (not name or any(c in name for c in "\0:/\n")):
                yield Flaw(field, f"{name!r} is not a name")

    def accounts(self) -> list[Claim]:
        """The names whose numbers only the target knows."""
        named = ((USER, self.owner), (GROUP, self.group))
        return [reads(prefix + name) for prefix, name in named if isinstance(name, str) and not name.isdecimal()]

    def uid(self, view: View, default: int) -> int:
        return _number(view, USER, self.owner, default)

    def gid(self, view: View, default: int) -> int:
        return _number(view, GROUP, self.group, default)

    def fresh(self, view: View, room: Room, path: str, kind: str, mode: int, **content: Any) -> Node:
        """What a new file or directory will be; `mode` is what it gets if none is asked for."""
        facts = view.facts()
        wanted = mode if self.mode is None else int(self.mode)
        made = Node(kind, wanted, facts.uid, room.gid)
        node = Node(kind, wanted, self.uid(view, made.uid), self.gid(view, made.gid), **content)
        check_owner(facts, path, made, node)
        return node if may_write(facts, node) else node._replace(writable=False)

    def revised(self, view: View, path: str, found: Node) -> Node:
        """What is there, with the permissions and owners that are asked for."""
        mode = found.mode if self.mode is None or found.type == "link" else int(self.mode)
        uid, gid = self.uid(view, found.uid), self.gid(view, found.gid)
        if (mode, uid, gid) == (found.mode, found.uid, found.gid):
            return found
        facts, node = ground_of(view).facts(), found._replace(mode=mode, uid=uid, gid=gid)
        check_own(facts, path, found)
        check_owner(facts, path, found, node)
        return node._replace(writable=may_write(facts, node))


def flaws_of_path(field: str, path: str) -> Iterator[Flaw]:
    """What makes a path impossible everywhere; where it may lead is the business of who read the plan."""
    parts = path.encode("utf-8", "surrogateescape").split(b"/")
    if sum(map(len, parts)) + len(parts) > _PATH_BYTES_MAX or max(map(len, parts)) > _NAME_BYTES_MAX:
        yield Flaw(field, f"`{path[:40]}...` is longer than a path or a name in it may be")


@lru_cache(maxsize=1024)
def reads(key: str, depth: Depth = Depth.NODE, target: str | None = None, beneath: bool = False) -> Claim:
    return Claim(key, writes=False, beneath=beneath, depth=depth, target=target)


def placing(path: str, on_conflict: OnConflict, depth: Depth = Depth.NODE) -> list[Claim]:
    """The claims of a step that puts something at a path."""
    replaces = on_conflict in ("overwrite", "backup")
    claims = [Claim(path, True, replaces, depth), reads(path[: path.rfind("/")] or "/")]
    return [*claims, Claim(f"{path}.bak")] if on_conflict == "backup" else claims


def unchanged(path: str, found: Node) -> tuple[Change, ...]:
    return (Change(path, found, found),)


def stays(path: str, found: Node, on_conflict: OnConflict) -> bool:
    """Does something that is not wanted at a path stay there all the same?"""
    if not found.exists or on_conflict in ("overwrite", "backup"):
        return False
    if on_conflict == "skip":
        return True
    what = f"a {noun(found)}" + (f" to `{found.target}`" if found.type == "link" else "")
    hint = "remove it first, or set `on_conflict` to `overwrite`, `backup` or `skip`"
    raise Unfit("conflict", f"`{path}` is already there: {what}", hint)


def put(
    ground: Ground,
    room: Room,
    path: str,
    found: Node,
    after: Node,
    on_conflict: OnConflict,
    means: Content | None = None,
    taken: Container[str] = (),
) -> Sequence[Change]:
    """Something new at a path, where something that does not stay may stand.

    `taken` are paths that the step itself is going to need, so that nothing may be kept there.
    """
    if means is not None:
        ground.spend(room, size_of(after))
    if not found.exists:
        return (Change(path, found, after, means=means),)
    check_removable(ground.facts(), room, path, found)
    if on_conflict != "backup":
        return (Change(path, found, after, means=means),)
    kept = _spare_name(ground, path, taken)
    away = Change(kept, ground.node(kept), moved(found), origin=path)
    return (away, Change(path, ABSENT, after, means=means))


def moved(node: Node) -> Node:
    """The same object at another place. What it says of its surroundings is of the old one: that is put back by an undo."""
    return node


def copied(facts: Facts, node: Node, gid: int) -> Node:
    """Another object with the same content and metadata, as far as the effective user may give it those."""
    keeps_uid = facts.uid in (0, node.uid)
    keeps_gid = facts.uid == 0 or node.gid == facts.gid or node.gid in facts.groups
    mode = node.mode if keeps_uid and keeps_gid else node.mode & 0o1777  # never lend rights to a new owner
    new = Node(
        node.type, mode, node.uid if keeps_uid else facts.uid, node.gid if keeps_gid else gid,
        digest=node.digest, target=node.target, rdev=node.rdev, xattrs=node.xattrs, size=node.size,
        mtime_ns=node.mtime_ns, content=node.content, nlink=node.nlink,
    )  # fmt: skip
    return new._replace(writable=may_write(facts, new))


def anew(node: Node) -> Node:
    """The same as another object: what a move to another file system makes of it."""
    entries = None if node.entries is None else {path: anew(child) for path, child in node.entries.items()}
    return node._replace(dev=0, ino=0, ctime_ns=0, around_ns=0, entries=entries)


def size_of(node: Node) -> int:
    """Bytes that another object like this takes."""
    children = (node.entries or {}).values()
    return (node.size if node.type == "file" else 0) + sum([child.size for child in children if child.type == "file"])


def nested(one: str, other: str) -> bool:
    """Is one of two paths the other, or above it?"""
    return one == other or one.startswith(under(other, "")) or other.startswith(under(one, ""))


def may_write(facts: Facts, node: Node) -> bool:
    """May the effective user write to what is predicted? A directory must be passable as well."""
    if facts.uid == 0:
        return True
    bits = 0o3 if node.type == "dir" else 0o2
    shift = 6 if node.uid == facts.uid else 3 if node.gid == facts.gid or node.gid in facts.groups else 0
    return (node.mode >> shift) & bits == bits


def check_apart(ground: Ground, source: str, to: str) -> None:
    """Links may lead to where the paths themselves do not."""
    if nested(ground.real(source), ground.real(to)):
        raise Unfit("conflict", f"`{source}` and `{to}` lie within one another", "name a destination beside it")


def check_owner(facts: Facts, path: str, found: Node, wanted: Node) -> None:
    """Only root gives things away; a group of one's own may be given to what is one's own."""
    if facts.uid == 0 or (found.uid, found.gid) == (wanted.uid, wanted.gid):
        return
    own_group = wanted.gid in (found.gid, facts.gid) or wanted.gid in facts.groups
    if wanted.uid != found.uid or found.uid != facts.uid or not own_group:
        raise Unfit("permission_denied", f"only root may make `{path}` belong to {wanted.uid}:{wanted.gid}")


def check_own(facts: Facts, path: str, found: Node) -> None:
    """Only its owner and root change an object itself."""
    check_changeable(path, found)
    if facts.uid not in (0, found.uid):
        raise Unfit("permission_denied", f"`{path}` belongs to the user {found.uid}; only they and root may change it")


def check_changeable(path: str, found: Node) -> None:
    if found.readonly:
        raise Unfit("read_only", f"`{path}` is on a file system that is mounted read-only")
    if found.fixed:
        raise Unfit("permission_denied", f"`{path}` has the immutable or append-only flag", "clear it with `chattr -ia` first")


def check_removable(facts: Facts, room: Room, path: str, found: Node) -> None:
    """May what stands at a path be taken away from it?"""
    check_changeable(path, found)
    if facts.uid == 0:
        return
    if room.node.mode & 0o1000 and facts.uid not in (found.uid, room.node.uid):
        raise Unfit("permission_denied", f"`{path}` belongs to the user {found.uid}, and `{room.path}` is sticky")
    if found.type == "dir" and not found.writable:
        raise Unfit("permission_denied", f"the effective user may not move the directory `{path}`")


def reset(path: str, found: Node, after: Node) -> Change:
    """Only permissions and owners differ: they are set on the object itself."""
    return Change(path, found, after, Guarantee.REVERSIBLE)


def _number(view: View, prefix: str, name: int | str | None, default: int) -> int:
    if name is None:
        return default
    if isinstance(name, int) or name.isdecimal():
        return int(name)
    account = view.seen(prefix + name)
    assert isinstance(account, Account)
    if account.id is None:
        what = "user" if prefix == USER else "group"
        raise Unfit("not_found", f"there is no {what} `{name}` on `{view.target}`", f"create the {what}, or correct the name")
    return account.id


def _spare_name(ground: Ground, path: str, taken: Container[str]) -> str:
    kept, number = f"{path}.bak", 0
    while kept in taken or ground.node(kept).exists:
        number += 1
        kept = f"{path}.bak{number}"
    return kept
