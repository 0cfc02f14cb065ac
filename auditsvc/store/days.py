"""Which days a table has something of."""

from datetime import date

from auditsvc.core.window import Window
from auditsvc.store.columns import time_text
from auditsvc.store.connections import Database


def read_days(db: Database, table: str, column: str, window: Window | None) -> list[Window]:
    """The UTC days of a column of times that the window overlaps (None: all), in order.

    One row holds them all: Python's threads take turns at every row that SQLite gives.
    """
    where, parameters = "", []
    if window is not None:
        where = f"where {column} >= ? and {column} < ?"
        last = Window.day(window.end - window.end.resolution)
        parameters = [time_text(Window.day(window.start).start), time_text(last.end)]
    [(days,)] = db.execute(
        f"""
        select group_concat(day, ' ')
        from (select distinct substr({column}, 1, 10) as day from {table} {where} order by 1)
        """,  # noqa: S608 - names from our own modules
        parameters,
    )
    return [Window.day(date.fromisoformat(day)) for day in (days or "").split()]
