"""Opens three cities, so that there is something to visit: python -m shop.cities"""

import sqlite3
from contextlib import closing

from shop.jobs import FOLDER


def main() -> None:
    """Make a database for each, with what is in stock there."""
    FOLDER.mkdir(exist_ok=True)
    for name in ("lyon", "porto", "turin"):
        with closing(sqlite3.connect(FOLDER / f"{name}.db")) as city, city:
            city.execute("CREATE TABLE IF NOT EXISTS stock (item TEXT)")
            city.executemany("INSERT INTO stock VALUES (?)", [("tea",), ("coffee",)])


if __name__ == "__main__":
    main()
