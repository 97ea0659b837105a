"""The server as a process: what it is made of, how it starts, and how it stops without losing anything."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import socket
import ssl
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from holdfast.app.engine import Engine, Holdfast
from holdfast.app.looking.reading import Reading, home_of
from holdfast.app.looking.tail import Heard, Tail, Told
from holdfast.app.plans.confine import Bounds
from holdfast.app.serving.tokens import OWNER, Tokens
from holdfast.app.serving.workshop import Workshop
from holdfast.app.triggering.attending import Attending
from holdfast.app.triggering.triggers import default_file
from holdfast.core.errors import Refused, WorldError
from holdfast.journal.sqlite import SqliteJournal
from holdfast.runtime.clock import SystemClock
from holdfast.runtime.owner import is_alive
from holdfast.runtime.telemetry import from_environment, log_handler
from holdfast.triggers import file as definitions
from holdfast.web import agents
from holdfast.web.application import application
from holdfast.web.connection import HEAD_S, hasty
from holdfast.web.exposition import Exposition
from holdfast.web.feed import Feed
from holdfast.web.gate import Gate
from holdfast.web.openapi import describe
from holdfast.web.serving import Serving
from holdfast.web.sessions import Sessions

if TYPE_CHECKING:
    from logging import Logger

POLL_S: Final = 0.03  # how often the journal is looked at, once for all clients
LOOKS: Final = 30  # before the event loop hears that there was nothing
START_POLL_S: Final = 0.005
PING_S: Final = 15.0
THREADS: Final = 16  # requests that are worked on at once, beside runs
PARK_S: Final = 60.0
LEAVE_S: Final = 5  # for answers that are under way
USER_TIMEOUT_MS: Final = 60_000  # a client that does not read for so long is gone
EVERYWHERE: Final = ("0.0.0.0", "::")  # addresses to listen on, and not to ask for
FILES_MAX: Final = 16_384
BACKLOG: Final = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    state: str | None = None
    host: str = "127.0.0.1"
    port: int = 8420
    hosts: Sequence[str] = ()  # further names it answers for
    roots: Sequence[str] = ()
    tls_cert: str | None = None
    tls_key: str | None = None
    triggers: str | None = None  # the file of triggers
    agents: Mapping[str, Any] = field(default_factory=dict)  # what they may do beyond looking
    resume: bool = False  # what a dead process left is gone on with, not rolled back
    park_s: float = PARK_S
    head_s: float = HEAD_S  # for the head of a request to come
    environment: Mapping[str, str]
    logger: Logger | None = None

    @property
    def secure(self) -> bool:
        return self.tls_cert is not None

    def check(self) -> None:
        """Refuse what would let others listen."""
        if (self.tls_cert is None) != (self.tls_key is None):
            raise Refused("a certificate and its key go together", code="invalid_value", hint="give --tls-cert and --tls-key")
        if not self.secure and not is_loopback(self.host):
            message = f"{self.host} is not this machine alone, and without TLS everybody on the way could read the tokens"
            raise Refused(message, code="invalid_value", hint="give --tls-cert and --tls-key, or stay on 127.0.0.1")
        if self.tls_cert is not None and self.tls_key is not None:
            check_pair(self.tls_cert, self.tls_key)


def check_pair(certificate: str, key: str) -> None:
    """Before anything is begun, and without asking for the password of a key."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except OSError as error:
        why = (error.strerror or str(error)).partition(" (_ssl.c")[0]
        message = f"{certificate} and {key} are no certificate with its key: {why}"
        hint = "both in PEM, the key without a password"
        raise Refused(message, code="invalid_value", hint=hint) from error


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Server:
    """Everything of one server. `run` returns when it was told to stop, and everything rests."""

    def __init__(self, settings: Settings) -> None:
        settings.check()
        self.settings = settings
        self.clock = SystemClock()
        self.home = home_of(settings.state, settings.environment)
        self.home.make()
        self.tokens = Tokens(self.home, self.clock)
        self.token = self.tokens.owner()
        self._listening = listen(settings.host, settings.port)
        self.port: int = self._listening.getsockname()[1]
        self.sessions = Sessions(self.clock)
        self._tracer = from_environment({**settings.environment, "OTEL_METRICS_EXPORTER": "none"})[0]
        self._export_logs()
        self._attending = self._attend()
        self.damage: str | None = None  # of the journal: then everything can be looked at, and nothing is done
        self._stop = asyncio.Event()

    def _export_logs(self) -> None:
        handler = log_handler(self.settings.environment)
        if handler is not None and self.settings.logger is not None:
            self.settings.logger.addHandler(handler)

    def _attend(self) -> Attending | None:
        """The triggers of the file that was named, or of the usual one where there is one."""
        usual = default_file(self.settings.environment)
        path = self.settings.triggers or (usual if os.path.exists(usual) else None)
        if path is None:
            return None
        return Attending(self.open_engine, definitions.load(path, home=self.settings.environment.get("HOME")))

    @property
    def url(self) -> str:
        named = self.settings.host
        if named in EVERYWHERE:
            named = next(iter(self.settings.hosts), "localhost")
        host = f"[{named}]" if ":" in named else named
        return f"{'https' if self.settings.secure else 'http'}://{host}:{self.port}"

    def login_url(self) -> str:
        return f"{self.url}/login?code={self.sessions.invite(OWNER)}"

    def open_desk(self) -> Holdfast:
        """A desk for one run, or for one look at the world."""
        return Holdfast.open(self.home.path, **self._options())

    def open_engine(self) -> Engine:
        return Engine.open(self.home.path, **self._options())

    def _options(self) -> dict[str, Any]:
        watched = {name: value for name, value in self.settings.environment.items() if not name.startswith("OTEL_")}
        options = {"environment": watched, "roots": self.settings.roots}
        return {**options, "tracer": self._tracer, "logger": self.settings.logger}

    def stop(self) -> None:
        """From the event loop: let everything come to rest."""
        self._stop.set()

    def _make_room(self) -> None:
        """Every stream is an open file: as many as the machine allows, and listeners may be."""
        enough, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = FILES_MAX if most == resource.RLIM_INFINITY else min(most, FILES_MAX)
        if enough != resource.RLIM_INFINITY and enough < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))

    async def run(self, started: Callable[[Server], Any]) -> None:
        """Serve until `stop`; `started` is told once requests are taken."""
        self._make_room()
        async with AsyncExitStack() as stack:
            desk = stack.enter_context(self.open_desk())
            workshop = Workshop(self.open_desk, self.clock)
            self.damage = desk.journal.damage
            if self.damage is None:
                await asyncio.to_thread(workshop.take_up, resume=self.settings.resume)
            else:
                self._attending = None
            exposition = stack.enter_context(closing(Exposition(self.settings.environment)))
            journal = stack.enter_context(closing(SqliteJournal.open(self.home.journal, read_only=True)))
            tail = Tail(journal, exposition.watch, clock=self.clock, alive=partial(is_alive, self.home.owners))
            feed = Feed(tail.seq)
            serving = Serving(
                self.home,
                reading=stack.enter_context(Reading.of(self.home.path)),
                desk=desk,
                open_desk=self.open_desk,
                workshop=workshop,
                feed=feed,
                bounds=Bounds.of(tuple(self.settings.roots), local_programs=self.settings.agents.get("local_programs", False)),
                metrics=exposition.text,
                description=describe(),
                attending=self._attending,
            )
            threads = stack.enter_context(ThreadPoolExecutor(THREADS, "request"))
            gate = self._gate()
            more = self._more(gate, workshop, stack)
            app = application(serving, gate, self.sessions, threads, secure=self.settings.secure, more=more)
            following = asyncio.create_task(follow(tail, feed))
            try:
                await self._serve(app, feed, workshop, following, started)
            finally:
                following.cancel()
                with suppress(asyncio.CancelledError):
                    await following

    def _more(self, gate: Gate, workshop: Workshop, stack: AsyncExitStack) -> dict[str, Any]:
        """The door for agents, where their protocol is installed."""
        if find_spec("mcp") is None:
            return {}
        allowed = agents.Allowed(roots=tuple(self.settings.roots), **self.settings.agents)
        served = agents.Agents(self.home.path, allowed, workshop)
        door = agents.AgentDoor(gate, served)
        stack.push_async_callback(door.close)
        return {agents.PATH: door}

    def _gate(self) -> Gate:
        names = [self.settings.host, *self.settings.hosts]
        return Gate(self.tokens, self.sessions, hosts=names, cookie=f"holdfast_{self.port}", secure=self.settings.secure)

    async def _serve(
        self, app: Any, feed: Feed, workshop: Workshop, following: asyncio.Task[None], started: Callable[[Server], Any]
    ) -> None:
        server = Uvicorn(self._config(app))
        serving = asyncio.create_task(server.serve(sockets=[self._listening]))
        while not server.started and not serving.done():
            await asyncio.sleep(START_POLL_S)
        if self._attending is not None:
            await asyncio.to_thread(self._attending.start)
        started(self)
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait((stopped, serving, following), return_when=asyncio.FIRST_COMPLETED)
        await asyncio.to_thread(self._park, workshop)
        feed.close()
        stopped.cancel()
        server.should_exit = True
        await serving
        if following.done():
            await following  # what ended it ends the server

    def _park(self, workshop: Workshop) -> None:
        if self._attending is None:
            workshop.park(self.settings.park_s)
            return
        self._attending.stop()
        workshop.park(self.settings.park_s, self._attending.engine)
        self._attending.join(LEAVE_S)

    def _config(self, app: Any) -> uvicorn.Config:
        return uvicorn.Config(
            app,
            log_config=None,
            log_level="error",  # what strangers send is answered; lines about it would be nobody's, and no JSON
            access_log=False,
            lifespan="off",
            server_header=False,
            date_header=False,
            proxy_headers=False,
            ws="none",
            http=hasty(self.settings.head_s),
            backlog=BACKLOG,
            timeout_graceful_shutdown=LEAVE_S,
            h11_max_incomplete_event_size=64 * 1024,
            ssl_certfile=self.settings.tls_cert,
            ssl_keyfile=self.settings.tls_key,
        )


class Uvicorn(uvicorn.Server):
    """Signals are heard by the command: runs come to rest before the door is closed."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


async def follow(tail: Tail, feed: Feed) -> None:
    """Look at the journal for everybody, in a thread of its own, and tell who listens."""
    loop, stop = asyncio.get_running_loop(), threading.Event()
    with ThreadPoolExecutor(1, "tail") as thread:
        pinged = loop.time()
        try:
            while True:
                try:
                    for batch in await loop.run_in_executor(thread, look, tail, stop):
                        if feed.listeners:
                            feed.tell(await loop.run_in_executor(thread, told, batch))
                        else:
                            feed.pass_over(batch[-1].seq)
                except WorldError:  # a damaged or busy journal is no reason to refuse what can still be answered
                    logging.getLogger("holdfast").exception("journal_unreadable")
                    await asyncio.sleep(PING_S)
                if loop.time() >= pinged + PING_S:
                    feed.ping()
                    pinged = loop.time()
        finally:
            stop.set()


def look(tail: Tail, stop: threading.Event) -> list[list[Heard]]:
    """Again and again, until there is something to tell or some time has passed: the event loop is not woken for less."""
    for _ in range(LOOKS):
        if stop.wait(POLL_S):
            break
        if found := list(tail.news()):
            return found
    return []


def told(batch: Sequence[Heard]) -> list[Told]:
    return [told for heard in batch for told in heard.told()]


def listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio sends what is small at once; else every answer would wait for an acknowledgement.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # what is accepted inherits it
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        hint = "choose another with --port; 0 takes a free one"
        raise Refused(
            f"{host}:{port} cannot be listened on: {os.strerror(error.errno or 0)}", code="conflict", hint=hint
        ) from error
    return listening
