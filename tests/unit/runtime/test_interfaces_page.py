"""docs/interfaces.md lists each problem that a caller can get, with its status."""

import re
from collections.abc import Iterator
from pathlib import Path

from turnout_runtime.errors import RequestError

PAGE = Path(__file__).parents[3] / "docs" / "interfaces.md"


def problems(kind: type[RequestError] = RequestError) -> Iterator[tuple[str, int]]:
    yield kind.slug, kind.http_status
    for narrower in kind.__subclasses__():
        yield from problems(narrower)


def test_the_page_lists_each_problem_and_no_other() -> None:
    listed = re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \|", PAGE.read_text(), re.MULTILINE)
    assert sorted((slug, int(status)) for slug, status in listed) == sorted(set(problems()))
