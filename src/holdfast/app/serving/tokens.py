"""Who may come in over HTTP, and as what: tokens of 256 bit, roles, tenants.

The owner's token lies in a private file of the state directory and is an admin's. All others are shown once and kept as
their digests; a digest of 256 random bits needs no salt. Both files are read anew whenever they change.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import logging
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import msgspec

from holdfast.app.home import Home
from holdfast.core.errors import Refused
from holdfast.core.times import iso
from holdfast.runtime.clock import Clock

ROLES: Final = ("viewer", "operator", "approver", "admin")  # each may do what those before it may
TOKENS_MAX: Final = 1000
NAME_CHARACTERS_MAX: Final = 64
TOKEN_BYTES: Final = 32
PREFIX: Final = "hft_"  # so that a token that leaked can be found by what looks for secrets

Random = Callable[[int], bytes]
T = TypeVar("T")


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who came in."""

    name: str
    role: str
    tenants: frozenset[str] | None = None  # None: not confined to any

    @property
    def source(self) -> str:
        """As runs name who began them."""
        return "api" if self == OWNER else f"api:{self.name}"

    def may(self, role: str) -> bool:
        return ROLES.index(self.role) >= ROLES.index(role)

    def sees(self, tenants: Sequence[str | None]) -> bool:
        """A run whose tasks belong to these; somebody who is confined sees only what is wholly theirs."""
        return self.tenants is None or (bool(tenants) and all(tenant in self.tenants for tenant in tenants))


OWNER: Final = Caller(name="owner", role="admin")


class Token(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    role: str
    digest: str
    created_at: float
    expires_at: float | None = None
    tenants: tuple[str, ...] = ()
    name: str = ""

    def plain(self) -> dict[str, Any]:
        """As it is listed: without anything that could be tried."""
        times = {"created_at": iso(self.created_at), "expires_at": iso(self.expires_at)}
        return {"id": self.id, "name": self.name, "role": self.role, "tenants": list(self.tenants), **times}

    def caller(self) -> Caller:
        tenants = frozenset(self.tenants) if self.tenants else None
        return Caller(name=self.name or self.id, role=self.role, tenants=tenants)


class Tokens:
    def __init__(self, home: Home, clock: Clock, random_bytes: Random = os.urandom) -> None:
        self._home = home
        self._clock = clock
        self._random_bytes = random_bytes
        self._seen: tuple[Any, Any] = (None, None)
        self._owner = b""
        self._tokens: tuple[Token, ...] = ()

    # -- the owner's

    def owner(self) -> str:
        """The owner's token; made when there is none."""
        path = self._home.api_token
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            return _read_private(path).decode("ascii", "replace").strip()
        with open(fd, "w") as file:
            file.write(secret := new_secret(self._random_bytes))
        return secret

    # -- the others

    def create(
        self, role: str, *, tenants: Sequence[str] = (), expires_in_s: float | None = None, name: str = ""
    ) -> tuple[Token, str]:
        """A new token, and the secret that is shown once."""
        if role not in ROLES:
            raise Refused(f"there is no role `{role}`", code="invalid_value", hint=f"roles: {', '.join(ROLES)}")
        if len(name) > NAME_CHARACTERS_MAX or not name.isprintable():
            raise Refused("this cannot be the name of a token", code="invalid_value", hint="use a few printable characters")
        secret, now = new_secret(self._random_bytes), self._clock.now()
        token = Token(
            id=self._random_bytes(5).hex(),
            role=role,
            digest=digest_of(secret),
            created_at=now,
            expires_at=None if expires_in_s is None else now + expires_in_s,
            tenants=tuple(sorted(set(tenants))),
            name=name,
        )
        with self._changing() as tokens:
            if len(tokens) >= TOKENS_MAX:
                raise Refused(f"there are {TOKENS_MAX} tokens already", code="too_large", hint="revoke some")
            tokens.append(token)
        return token, secret

    def all(self) -> Sequence[Token]:
        return self._read()

    def revoke(self, token: str) -> Token:
        with self._changing() as tokens:
            found = [each for each in tokens if token and each.id.startswith(token)]
            if len(found) != 1:
                why = "there is no token" if not found else "more than one token begins with"
                raise Refused(f"{why} `{token}`", code="not_found", hint="`holdfast token list` shows them")
            tokens.remove(found[0])
        return found[0]

    # -- coming in

    def caller(self, secret: str) -> Caller | None:
        """Who this is; None for nobody. How long it takes says nothing about how much was right."""
        self._refresh()
        digest, now = digest_of(secret).encode(), self._clock.now()
        found = OWNER if hmac.compare_digest(digest, self._owner) else None
        for token in self._tokens:
            if hmac.compare_digest(digest, token.digest.encode()) and (token.expires_at is None or now < token.expires_at):
                found = token.caller()
        return found

    def _refresh(self) -> None:
        seen = (_mark(self._home.api_token), _mark(self._home.tokens))
        if seen == self._seen:
            return
        owner = _trusted(lambda: _read_private(self._home.api_token).decode("ascii", "replace").strip(), "")
        self._owner = digest_of(owner).encode() if owner else b""
        self._tokens = _trusted(self._read, ())
        self._seen = seen

    def _read(self) -> tuple[Token, ...]:
        try:
            return msgspec.json.decode(_read_private(self._home.tokens), type=tuple[Token, ...])
        except FileNotFoundError:
            return ()
        except msgspec.MsgspecError as error:
            hint = "remove the file, and create the tokens anew"
            raise Refused(f"{self._home.tokens} cannot be read: {error}", code="invalid_value", hint=hint) from error

    @contextmanager
    def _changing(self) -> Iterator[list[Token]]:
        """All tokens, to be changed; nobody else changes them meanwhile, and a reader sees the old ones or the new ones."""
        path = self._home.tokens
        with open(os.open(path + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600), "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            tokens = list(self._read())
            yield tokens
            with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(msgspec.json.encode(tokens))
                file.flush()
                os.fsync(file.fileno())
            os.rename(path + ".new", path)


def new_secret(random_bytes: Random) -> str:
    return PREFIX + random_bytes(TOKEN_BYTES).hex()


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _mark(path: str) -> tuple[int, int, int] | None:
    """Differs whenever the file is another one, or others may read it now who could not before."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_ctime_ns, found.st_size


def _trusted(read: Callable[[], T], nobody: T) -> T:
    """A file that somebody else may have read, or written, lets nobody in: who asks learns nothing of it, but the log does."""
    try:
        return read()
    except FileNotFoundError:
        return nobody
    except (OSError, Refused) as error:
        logging.getLogger("holdfast").error("tokens_not_trusted", extra={"why": str(error)})
        return nobody


def _read_private(path: str) -> bytes:
    """What nobody else can read; else somebody may know it already."""
    with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW), "rb") as file:
        found = os.fstat(file.fileno())
        if stat.S_IMODE(found.st_mode) & 0o077:
            hint = f"remove it, so that a new one is made; or, if nobody has read it: chmod 600 {path}"
            raise Refused(f"others can read {path}", code="permission_denied", hint=hint)
        return file.read()
