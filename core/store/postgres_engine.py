"""How PostgreSQL is reached: encryption, patience, and what a connection promises from its first statement on."""

from __future__ import annotations

import ipaddress
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.pool import NullPool

CONNECT_SECONDS = 5
# In milliseconds. A statement that waits longer for a row than `lock_timeout` is refused; an `idle` transaction is
# one whose process stopped in the middle, and its locks would stop everybody.
_TIMEOUTS = {
    "statement_timeout": "15000",
    "lock_timeout": "5000",
    "idle_in_transaction_session_timeout": "15000",
}
_NETWORK = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 15_000}


def pooled(url: str, size: int, timeouts: dict[str, str] | None = None) -> Engine:
    """An engine of `size` connections at most, made as needed. `timeouts`: instead of the usual ones, in ms."""
    given = _TIMEOUTS | (timeouts or {})
    asked = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in {**given, "TimeZone": "UTC"}.items())
    engine = create_engine(
        url,
        pool_size=size,
        max_overflow=0,
        pool_timeout=CONNECT_SECONDS * 2,
        pool_recycle=1800,
        connect_args=connect_args(make_url(url)),
        hide_parameters=True,  # an error that is logged must not show people's words
        isolation_level="READ COMMITTED",
    )

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _: Any) -> None:
        connection.autocommit = True
        connection.execute(f"SELECT {asked}").close()
        connection.autocommit = False

    return engine


def single(url: str) -> Engine:
    """An engine that opens a connection when asked and closes it after use, without time-outs of ours."""
    return create_engine(url, poolclass=NullPool, connect_args=connect_args(make_url(url)), hide_parameters=True)


def connect_args(url: URL) -> dict[str, Any]:
    """What libpq is told besides the URL, which wins. Beyond this machine nothing goes unencrypted unasked."""
    wanted: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS, "application_name": "bise", **_NETWORK}
    if not all(_is_here(host) for host in _hosts(url)):
        wanted["sslmode"] = "require"
    return {name: value for name, value in wanted.items() if name not in url.query}


def shown(url: str) -> str:
    """The database as people may read it: no user, no password."""
    parts = make_url(url)
    hosts = ",".join(host for host in _hosts(parts) if host and not host.startswith("/"))
    return f"{parts.database} on {hosts}" if hosts else f"{parts.database}"


def _hosts(url: URL) -> list[str]:
    asked = url.query.get("host", url.host or "")
    listed = asked if isinstance(asked, tuple) else (asked,)
    return [host.partition(":")[0] if host.count(":") == 1 else host for part in listed for host in part.split(",")]


def _is_here(host: str) -> bool:
    """Whether a host is this machine, or the folder of a Unix socket."""
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
