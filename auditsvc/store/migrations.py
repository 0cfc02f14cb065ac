"""Older files brought to the newest schema, by sqlite-utils."""

from sqlite_utils import Database, Migrations

from auditsvc.store.schema import MIGRATION_SET, STEPS, make_views, take_step

migrations = Migrations(MIGRATION_SET)


def apply(db: Database) -> None:
    """Brings a file to the newest version, views included."""
    migrations.apply(db)
    make_views(db.conn)


def _register(step: str) -> None:
    @migrations(name=step)
    def take(db: Database) -> None:
        take_step(db.conn, step)


for _step in STEPS:
    _register(_step)
