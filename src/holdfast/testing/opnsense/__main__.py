"""The simulator as a program: started with a profile, it says where it listens and serves until it is told to stop."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from holdfast.testing.opnsense.profile import PROFILES
from holdfast.testing.opnsense.simulator import Simulator
from holdfast.testing.opnsense.tls import Certificate


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    try:
        appliance = Simulator(
            given.profile,
            _number(given.seed),
            given.latency / 1000,
            tls=_certificate(given),
            activation_s=given.activation / 1000,
            config_file=given.config_file,
        )
        fixture = given.fixture or (None if given.seed.isdecimal() else Path(given.seed))
        if fixture:
            appliance.begin_with(tomllib.loads(fixture.read_text()))
    except (ValueError, OSError) as problem:
        sys.stderr.write(f"holdfast-opnsense-sim: {problem}\n")
        return 2
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
    appliance.start(given.port, given.control_port, given.host)
    for fault in given.arm:
        appliance.arm(fault)
    sys.stdout.write(json.dumps(_said(appliance)) + "\n")
    sys.stdout.flush()
    signal.sigwait(_ENDINGS)
    appliance.stop()
    return 0


_ENDINGS = (signal.SIGINT, signal.SIGTERM)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("holdfast-opnsense-sim", description="A simulated OPNsense appliance, in memory.")
    parser.add_argument("--profile", default="26.1", help=f"version to play: {', '.join(PROFILES)}, or a patch version")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port of the API; 0 takes a free one")
    parser.add_argument("--control-port", type=int, default=0, help="port to arm faults and look inside; 0 takes a free one")
    parser.add_argument("--seed", default="1", metavar="NUMBER|FILE", help="where its uuids begin; a file is a fixture")
    parser.add_argument("--fixture", type=Path, metavar="FILE", help="TOML with objects that it begins with, by their path")
    parser.add_argument("--latency", type=float, default=0, metavar="MS", help="milliseconds that every call takes")
    parser.add_argument(
        "--activation", type=float, default=0, metavar="MS", help="milliseconds of its own clock that an activation takes"
    )
    parser.add_argument("--arm", action="append", default=[], metavar="FAULT", help="a named fault to begin with; repeatable")
    parser.add_argument("--config-file", type=Path, metavar="FILE", help="keep the configuration in this file as well")
    parser.add_argument("--tls", action="store_true", help="serve HTTPS with a certificate made for this run")
    parser.add_argument("--certificate", type=Path, metavar="FILE", help="serve HTTPS with this certificate (PEM)")
    parser.add_argument("--certificate-key", type=Path, metavar="FILE", help="the key of that certificate (PEM)")
    return parser


def _number(seed: str) -> int:
    return int(seed) if seed.isdecimal() else 1


def _certificate(given: argparse.Namespace) -> Certificate | None:
    if given.certificate and given.certificate_key:
        return Certificate.given(given.certificate, given.certificate_key)
    if given.certificate or given.certificate_key:
        raise ValueError("--certificate and --certificate-key go together")
    return Certificate.self_signed() if given.tls else None


def _said(appliance: Simulator) -> dict[str, object]:
    said: dict[str, object] = {"url": appliance.url, "control": appliance.control_url}
    said |= {"port": appliance.port, "control_port": appliance.control_port}
    said |= {"key": appliance.key, "secret": appliance.secret}
    return said | {"fingerprint": appliance.tls.fingerprint, "certificate": appliance.tls.pem} if appliance.tls else said


if __name__ == "__main__":
    sys.exit(main())
