"""Column types that behave the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, MetaData
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import Field, SQLModel

BigInt = BigInteger().with_variant(Integer, "sqlite")  # on SQLite only INTEGER is a row id
Json = JSON().with_variant(JSONB(), "postgresql")

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

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime]:
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime was given to the store")
        utc = value.astimezone(UTC)
        return utc if dialect.name == "postgresql" else utc.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if dialect.name == "postgresql" else value.replace(tzinfo=UTC)


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
