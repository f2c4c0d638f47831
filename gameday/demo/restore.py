"""`python -m gameday.demo.restore`: back the shop's database up, and bring it back, for a drill.

A real `pg_dump` of the running PostgreSQL, and a real `pg_restore` into a second database beside
it: the shop never uses that one. With each backup goes a note of what was in it, taken in the same
snapshot: for each table the number of its rows and a checksum. `check` compares what came back with
that note, and its tables with those of the shop.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from gameday.demo.postgres import installs
from gameday.demo.project import STATE
from gameday.demo.settings import Settings, read_settings, write_private

_USER, _LIVE, _RESTORED = "shop", "postgres", "shop_restored"
_CALL_WITHIN_S = 50
_TABLES = """
select table_name from information_schema.tables
where table_schema = 'public' and table_type = 'BASE TABLE' order by table_name
"""
#: A question of the business: every order is of a product that there is, and costs what it costs.
_WRONG_ORDERS = """
select count(*) from orders left join products using (sku)
where products.sku is null or orders.cents <> products.cents
"""


class RestoreError(Exception):
    """What could not be done, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """The database of a running shop, and the programs that can talk to it."""

    settings: Settings

    @property
    def port(self) -> int:
        """Where the server itself listens."""
        return self.settings.topology.part("postgres").port

    @asynccontextmanager
    async def connection(self, database: str) -> AsyncIterator[Any]:
        """A connection. Raises RestoreError."""
        try:
            connection = await asyncpg.connect(
                host="127.0.0.1", port=self.port, user=_USER, password=self.settings.secret,
                database=database, timeout=5, ssl=False, command_timeout=_CALL_WITHIN_S,
            )  # fmt: skip
        except (OSError, asyncpg.PostgresError, TimeoutError) as error:
            raise RestoreError(f"no database `{database}`: {error}") from None
        try:
            yield connection
        except asyncpg.PostgresError as error:
            raise RestoreError(f"the database `{database}`: {error}") from None
        finally:
            connection.terminate()

    def run(self, name: str, *arguments: str) -> None:
        """Run one of PostgreSQL's own programs. Raises RestoreError with its last words."""
        problems = []
        for install in installs():
            program = install.bin / name
            if not program.exists():
                problems.append(f"there is no {name} beside the PostgreSQL from {install.origin}")
                continue
            place = ("-h", "127.0.0.1", "-p", str(self.port), "-U", _USER, "--no-password")
            done = subprocess.run(  # noqa: S603 - programs that we looked up ourselves
                [str(program), *place, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_CALL_WITHIN_S,
                check=False,
                env={"PATH": os.defpath, "LC_ALL": "C", "PGPASSWORD": self.settings.secret},
            )
            if done.returncode == 0:
                return
            said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
            problems.append(f"{name} from {install.origin} ended with {done.returncode}: {said}")
        raise RestoreError("; ".join(problems) or f"there is no {name} on PATH")


async def backup(shop: Shop, file: Path, without: Sequence[str]) -> str:
    """Write the backup and its note. *without* leaves tables out, to see whether that is found."""
    async with (
        shop.connection(_LIVE) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        snapshot = await connection.fetchval("select pg_export_snapshot()")
        taken = datetime.now(UTC).isoformat()
        left_out = [f"--exclude-table=public.{name}" for name in without]
        file.parent.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(
            shop.run, "pg_dump", "--format=custom", f"--snapshot={snapshot}", "--no-owner",
            f"--file={file}", *left_out, _LIVE,
        )  # fmt: skip
        tables = {
            name: await _facts(connection, name)
            for name in await _names(connection)
            if name not in without
        }
    write_private(_note(file), json.dumps({"taken": taken, "tables": tables}))
    rows = sum(int(one["rows"]) for one in tables.values())
    return f"{file.stat().st_size} bytes, {len(tables)} tables, {rows} rows"


async def restore(shop: Shop, file: Path) -> str:
    """Bring the backup back, into a database of its own."""
    if not file.is_file():
        raise RestoreError(f"there is no backup `{file}`")
    await drop(shop)
    async with shop.connection(_LIVE) as connection:
        await connection.execute(f"create database {_RESTORED}")
    await asyncio.to_thread(
        shop.run, "pg_restore", "--exit-on-error", "--no-owner",
        f"--dbname={_RESTORED}", str(file),
    )  # fmt: skip
    async with shop.connection(_RESTORED) as connection:
        return f"{len(await _names(connection))} tables are back"


async def check_tables(shop: Shop, _file: Path) -> str:
    """Every table of the shop came back. Raises RestoreError."""
    async with shop.connection(_LIVE) as live, shop.connection(_RESTORED) as back:
        wanted, there = await _names(live), await _names(back)
    missing = [name for name in wanted if name not in there]
    if missing:
        raise RestoreError(f"did not come back: {', '.join(missing)}")
    return f"{', '.join(there)} are there"


async def check_rows(shop: Shop, file: Path) -> str:
    """Every table has the rows that it had: by number and by checksum. Raises RestoreError."""
    wanted = _read_note(file)["tables"]
    wrong: list[str] = []
    rows = 0
    async with shop.connection(_RESTORED) as connection:
        there = await _names(connection)
        wrong += [f"{name} did not come back" for name in wanted if name not in there]
        for name in there:
            found = await _facts(connection, name)
            rows += int(found["rows"])
            if found != wanted.get(name):
                had = wanted.get(name, {}).get("rows", "no")
                wrong.append(f"{name} has {found['rows']} rows and had {had}, or other content")
    if wrong:
        raise RestoreError("; ".join(wrong))
    return f"{rows} rows with their checksums"


async def check_orders(shop: Shop, _file: Path) -> str:
    """What the business would ask of it. Raises RestoreError."""
    async with shop.connection(_RESTORED) as connection:
        wrong = await connection.fetchval(_WRONG_ORDERS)
        orders = await connection.fetchval("select count(*) from orders")
    if wrong:
        raise RestoreError(f"{wrong} of {orders} orders are of no product, or cost something else")
    return f"{orders} orders, each of a product at its price"


async def newest(shop: Shop, _file: Path) -> str:
    """When the newest order that came back was made. Raises RestoreError where there is none."""
    async with shop.connection(_RESTORED) as connection:
        moment = await connection.fetchval("select max(created) from orders")
    if moment is None:
        raise RestoreError("no order came back")
    return str(moment.astimezone(UTC).isoformat())


async def drop(shop: Shop, _file: Path | None = None) -> str:
    """Take the second database away, and look that it is gone. Raises RestoreError."""
    async with shop.connection(_LIVE) as connection:
        await connection.execute(f"drop database if exists {_RESTORED} with (force)")
        left = await connection.fetchval(
            "select count(*) from pg_database where datname = $1", _RESTORED
        )
    if left:
        raise RestoreError(f"the database `{_RESTORED}` is still there")
    return f"the database {_RESTORED} is gone"


_DO = {
    "restore": restore, "check-tables": check_tables, "check-rows": check_rows,
    "check-orders": check_orders, "newest": newest, "drop": drop,
}  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """One step. The last line says what was found. Returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m gameday.demo.restore", description=__doc__)
    parser.add_argument("what", choices=("backup", *_DO))
    parser.add_argument("--state", type=Path, default=Path(STATE), help="state of the shop")
    parser.add_argument("--file", type=Path, help="the backup; STATE/backup.dump unless given")
    parser.add_argument("--without", action="append", default=[], help="leave this table out")
    options = parser.parse_args(arguments)
    file = options.file or options.state / "backup.dump"
    try:
        shop = Shop(settings=read_settings(options.state / "shop.json"))
        if options.what == "backup":
            print(asyncio.run(backup(shop, file, options.without)))  # noqa: T201
        else:
            print(asyncio.run(_DO[options.what](shop, file)))  # noqa: T201
    except FileNotFoundError as error:
        print(f"no shop runs with `{options.state}`: {error.filename}", file=sys.stderr)  # noqa: T201
        return 1
    except (RestoreError, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


async def _names(connection: Any) -> list[str]:
    return [row["table_name"] for row in await connection.fetch(_TABLES)]


async def _facts(connection: Any, table: str) -> dict[str, Any]:
    """How many rows, and a checksum over all of them in an order that does not depend on places."""
    every = "md5(coalesce(string_agg(t::text, E'\\n' order by t::text), ''))"
    row = await connection.fetchrow(
        f'select count(*) as rows, {every} as checksum from "{table}" t'  # noqa: S608 - its own name
    )
    return {"rows": row["rows"], "checksum": row["checksum"]}


def _note(file: Path) -> Path:
    return file.with_suffix(".json")


def _read_note(file: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(_note(file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RestoreError(f"the note of the backup cannot be read: {error}") from None
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
