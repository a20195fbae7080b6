"""A Python service as there are many: it takes orders, keeps them in SQLite, and reports.

``python -m oddcall.service.trial.bookkeeper FOLDER`` runs until it is ended.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import signal
import sqlite3
import sys
import time
from pathlib import Path

_KEPT = 2_000


def main(folder: Path) -> int:
    """Keep books until interrupted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    chance = random.Random()  # noqa: S311  no secret
    with (
        contextlib.suppress(KeyboardInterrupt),
        contextlib.closing(sqlite3.connect(folder / "books.sqlite")) as books,
    ):
        books.execute("create table if not exists orders (id integer primary key, text, sum)")
        turn = 0
        while True:
            _take_orders(books, chance)
            if turn % 7 == 0:
                _report(books, folder)
            if turn % 40 == 0:
                books.execute(
                    "delete from orders where id < (select max(id) from orders) - ?", (_KEPT,)
                )
                books.commit()
            turn += 1
            time.sleep(chance.uniform(0.2, 0.8))
    return 0


def _take_orders(books: sqlite3.Connection, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 12)):
        text = hashlib.sha256(chance.randbytes(64)).hexdigest()
        books.execute("insert into orders (text, sum) values (?, ?)", (text, chance.random()))
    books.commit()


def _report(books: sqlite3.Connection, folder: Path) -> None:
    rows = books.execute("select id, sum from orders order by sum desc limit 100").fetchall()
    fresh = folder / "report.new"
    fresh.write_text(json.dumps(rows))
    fresh.replace(folder / "report.json")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
