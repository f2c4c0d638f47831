"""The findings register as a folder in git: one YAML file a finding, named by its id.

Two branches that change different findings change different files. The layout of a file depends on
nothing but the finding, and entries are only added at its end, so a diff shows what happened.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from gameday.errors import RefusedError, UsageError
from gameday.model.finding_codec import CodecError, from_plain, to_plain
from gameday.model.finding_record import FindingRecord, in_findings_order, refuse_loss

#: How long another process may be in the middle of a change.
LOCKED_FOR_S = 10.0
_POLL_S = 0.02
_BYTES_MAX = 4 * 1024 * 1024
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Loader(_LOADER):  # type: ignore[misc]
    """Without dates: what is written there stays text."""


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
    for first, pairs in _LOADER.yaml_implicit_resolvers.items()
}


class FindingFiles:
    """A folder of findings. It is made when the first one is stored."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = str(folder)

    def exists(self) -> bool:
        """Whether the folder is there, maybe empty."""
        return self.folder.exists()

    def all(self) -> tuple[FindingRecord, ...]:
        """Every finding, the most urgent first."""
        return in_findings_order(self._read(path) for path in self._paths())

    def change(
        self,
        ids: Collection[str],
        update: Callable[[Mapping[str, FindingRecord]], Iterable[FindingRecord]],
    ) -> tuple[FindingRecord, ...]:
        """See `FindingStore`. Each file is replaced as a whole, so no reader sees half of one."""
        with self._locked():
            paths = {one: self._path(one) for one in ids}
            found = {one: self._read(path) for one, path in paths.items() if path.exists()}
            made = tuple(update(found))
            for record in made:
                refuse_loss(found.get(record.id), record, ids)
            for record in made:
                self._write(record)
        return made

    def _paths(self) -> list[Path]:
        if not self.folder.exists():
            return []
        if not self.folder.is_dir():
            raise UsageError(f"`{self.folder}` is no folder, so it holds no findings")
        return sorted(self.folder.glob("F-*.yaml"))

    def _path(self, finding: str) -> Path:
        return self.folder / f"{finding}.yaml"

    def _read(self, path: Path) -> FindingRecord:
        try:
            with path.open("rb") as file:
                raw = file.read(_BYTES_MAX + 1)
            if len(raw) > _BYTES_MAX:
                raise UsageError(f"`{path}` is larger than {_BYTES_MAX // 2**20} MiB")
            record = from_plain(yaml.load(raw.decode("utf-8"), Loader=_Loader))  # noqa: S506 - a safe one
        except OSError as error:
            raise UsageError(f"`{path}` cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise UsageError(f"`{path}` is not UTF-8") from None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            at = f":{mark.line + 1}" if mark is not None else ""
            raise UsageError(
                f"`{path}{at}` is not YAML; if git left both sides of a merge in it, keep the "
                "entries of both, in order of time"
            ) from None
        except (CodecError, ValueError, RecursionError) as error:
            raise UsageError(f"`{path}` is no finding: {error}") from None
        if record.id != path.stem:
            raise UsageError(f"`{path}` holds the finding `{record.id}`; give it that name")
        return record

    def _write(self, record: FindingRecord) -> None:
        text = yaml.dump(
            to_plain(record), Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=4096
        )
        path = self._path(record.id)
        draft = self.folder / f".{record.id}.new"
        try:
            with draft.open("w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError as error:
            raise UsageError(f"`{path}` cannot be written: {error.strerror}") from None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone with the folder. The lock is on the folder itself, so git sees no file of it."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise UsageError(f"`{self.folder}` cannot be used: {error.strerror}") from None
        try:
            self._wait(handle)
            yield
            os.fsync(handle)
        finally:
            os.close(handle)

    def _wait(self, handle: int) -> None:
        until = time.monotonic() + LOCKED_FOR_S
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise RefusedError(
                        f"another process has been changing `{self.folder}` for "
                        f"{LOCKED_FOR_S:g} s; try again"
                    ) from None
                time.sleep(_POLL_S)
            else:
                return
