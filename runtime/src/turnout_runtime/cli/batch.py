"""`turnout batch`: the workflow of a bundle over a table."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnout_runtime.cli.parsers import Groups

if TYPE_CHECKING:
    from turnout_runtime.offline.job import Job

_TABLE = "Parquet, CSV or JSON Lines: a path, s3://…, a pattern, or a folder (ends in /)"
_OPTIONS = {
    "input": "input",
    "output": "output",
    "format": "format",
    "time_column": "timeColumn",
    "entity_id_column": "entityIdColumn",
    "request_id_column": "requestIdColumn",
    "processes": "processes",
    "rows_per_part": "rowsPerPart",
}
_FACT_OPTIONS = {"key": "keyColumn", "time": "timeColumn", "max-age": "maxAgeSeconds"}


def add_commands(groups: Groups) -> None:
    """Register the command."""
    batch = groups.add_parser("batch", help="answer every row of a table with a bundle's workflow")
    batch.add_argument("--bundle", required=True, metavar="DIR|TAR|URL")
    batch.add_argument("--digest", metavar="sha256:…", help="of the bundle; needed for a URL")
    batch.add_argument("--input", metavar="TABLE", help=_TABLE)
    batch.add_argument("--output", metavar="TABLE", help="file to write, or a folder (ends in /)")
    batch.add_argument("--format", choices=("parquet", "csv", "jsonl"), help="of names that do not end in it")
    batch.add_argument(
        "--config", type=Path, metavar="FILE", help="JSON with batch, facts, modelServer as runtime.json"
    )
    _fact = "NAME=TABLE[,key=COLUMN][,time=COLUMN][,max-age=SECONDS]"
    batch.add_argument("--facts", type=_fact_option, action="append", default=[], metavar=_fact, help="a fact's past")
    batch.add_argument("--time-column", metavar="COLUMN", help="when each row was asked; without it, all are now")
    batch.add_argument("--entity-id-column", metavar="COLUMN")
    batch.add_argument("--request-id-column", metavar="COLUMN")
    batch.add_argument("--features", action="store_true", help="write features and facts of each row, too")
    batch.add_argument("--processes", type=int, metavar="N", help="default: one for each CPU")
    batch.add_argument("--rows-per-part", type=int, metavar="N", help="rows that are kept at once (default 10,000)")
    batch.add_argument("--resume", action="store_true", help="go on with the unfinished run that left its parts")
    batch.set_defaults(run=_batch)


def _fact_option(text: str) -> tuple[str, dict[str, Any]]:
    name, _, rest = text.partition("=")
    uri, *options = rest.split(",")
    location: dict[str, Any] = {"uri": uri}
    for option in options:
        key, _, value = option.partition("=")
        if key not in _FACT_OPTIONS:
            raise argparse.ArgumentTypeError(f"{option!r}: options of a fact are {', '.join(_FACT_OPTIONS)}")
        location[_FACT_OPTIONS[key]] = value
    if not (name and uri):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=TABLE")
    return name, location


def _batch(arguments: argparse.Namespace) -> None:
    import sys

    from turnout_runtime.cli.progress import bar
    from turnout_runtime.offline.run import run
    from turnout_runtime.scratch import scratch

    with scratch() as cache:
        job = _job(arguments, cache)
        summary = run(job, resume="yes" if arguments.resume else "no", progress=bar)
    rate = summary.answered / summary.seconds
    print(f"{job.batch.output}: {summary.outcome.told()}", file=sys.stderr)
    print(f"{summary.answered:,} rows answered in {summary.seconds:.1f} s ({rate:,.0f}/s)", file=sys.stderr)


def _job(arguments: argparse.Namespace, cache: Path) -> "Job":
    """What the options and the file say together; options win."""
    from turnout_runtime.bundle.local import open_bundle
    from turnout_runtime.cli.progress import bar
    from turnout_runtime.offline.job import Job
    from turnout_runtime.offline.settings import read_settings

    options = {_OPTIONS[name]: getattr(arguments, name) for name in _OPTIONS if getattr(arguments, name) is not None}
    settings = read_settings(arguments.config, options, dict(arguments.facts))
    bundle = open_bundle(arguments.bundle, cache, arguments.digest, bar)
    revision = f"{bundle.manifest.name}-{bundle.manifest.version}"
    return Job(
        bundle,
        revision,
        settings.batch,
        settings.facts,
        model_server=settings.model_server,
        features=arguments.features,
    )
