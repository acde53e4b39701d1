"""Column types that behave the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, MetaData
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

BigInt = BigInteger().with_variant(Integer, "sqlite")  # on SQLite only INTEGER is a row id

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
METADATA = MetaData(naming_convention=_NAMES)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored in UTC; SQLite would drop the zone and hand back a naive one."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is not None and value.tzinfo is None:
            raise ValueError("a naive datetime was given to the store")
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return value.replace(tzinfo=UTC) if value else None


class Table(SQLModel):
    """What all tables share: metadata with a name for every constraint, which migrations need."""

    metadata = METADATA


def key() -> Any:
    """A surrogate key."""
    return Field(default=None, primary_key=True, sa_type=BigInt)


def reference(target: str, *, optional: bool = False, index: bool = False) -> Any:
    """A foreign key to `table.column`."""
    return Field(default=None if optional else ..., foreign_key=target, sa_type=BigInt, index=index, nullable=optional)


def moment(*, optional: bool = False) -> Any:
    """A point in time."""
    return Field(default=None if optional else ..., sa_type=UtcDateTime, nullable=optional)
