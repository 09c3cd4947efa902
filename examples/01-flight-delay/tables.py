"""Write a month of flights and the facts' past as tables for `turnout batch`: `tables.py --month 12 --out build`."""

import argparse
from pathlib import Path

from flight_delay import data, facts, rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--month", type=int, choices=data.ALL_YEAR, default=12, metavar="1-12", help="default: 12")
    parser.add_argument("--out", type=Path, default=Path("build"), help="folder to write (default: build)")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    known = facts.tables()
    for name, table in (
        ("flights", rows.requests(data.flights([arguments.month]))),
        ("weather", rows.weather(known["weather"])),
        ("plane", rows.planes(known["plane"])),
    ):
        path = arguments.out / f"{name}.jsonl"
        print(f"{path}  {rows.write(path, table):,} rows")


if __name__ == "__main__":
    main()
