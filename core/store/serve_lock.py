"""The lock of a SQLite file: one `bise serve` at a time."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from core.errors import StoreUnavailable


class ServeLock:
    """Only one `bise serve` works on a SQLite file; other commands need no lock. The system frees it at a crash."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = FileLock(f"{file}.lock", is_singleton=False)

    def take(self) -> None:
        """Raises StoreUnavailable when another process has it."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout:
            raise StoreUnavailable(
                f"Another `bise serve` already uses {self._file}. Stop it first, or give this one its own DATABASE_URL."
            ) from None
        except OSError as error:
            raise StoreUnavailable(f"{self._file} cannot be locked: {error.strerror}.") from error

    def free(self) -> None:
        self._lock.release()
