"""What all commands that join labels take."""

import argparse
from typing import TYPE_CHECKING

from turnout_runtime.cli.times import moment, span

if TYPE_CHECKING:
    from turnout_runtime.analysis.labels import LabelFile


def add_labels(parser: argparse.ArgumentParser) -> None:
    """The options that say where labels are and what they mean."""
    text = "Parquet, CSV or JSON Lines, also s3://…; counts beside the feedback in the log, which alone is the default"
    parser.add_argument("--labels", metavar="FILE", help=text)
    parser.add_argument("--no-feedback", action="store_true", help="take those of --labels alone")
    add_label_columns(parser)
    parser.add_argument("--window", type=span, metavar="SPAN", help="longest time to a label, such as 90m, 24h, 30d")
    parser.add_argument("--as-of", type=moment, metavar="TIME", help="labels that were known then; default all")


def add_label_columns(parser: argparse.ArgumentParser) -> None:
    """The options that say what the columns of a table of labels are."""
    parser.add_argument("--by-entity", action="store_true", help="join by entity_id and time, not by prediction_id")
    parser.add_argument("--id-column", metavar="NAME", help="default prediction_id")
    parser.add_argument("--entity-column", metavar="NAME", help="default entity_id")
    parser.add_argument("--time-column", metavar="NAME", help="the label's own time; default time, where it is there")
    parser.add_argument("--label-column", metavar="NAME", help="0 or 1; default label, where it is there")
    parser.add_argument("--reward-column", metavar="NAME", help="a number; default reward, where it is there")
    parser.add_argument("--positive", metavar="VALUE", help="the label that means 1, where labels are words")


def label_file(arguments: argparse.Namespace) -> "LabelFile":
    """What the options say."""
    from dataclasses import replace

    from turnout_runtime.errors import LogInvalid

    if arguments.no_feedback and arguments.labels is None:
        raise LogInvalid("--no-feedback leaves no labels: give a table with --labels")
    table = label_columns(arguments)
    return replace(table, window=arguments.window, as_of=arguments.as_of, feedback=not arguments.no_feedback)


def label_columns(arguments: argparse.Namespace) -> "LabelFile":
    """What the options of `add_label_columns` say about the table of `--labels`."""
    from turnout_runtime.analysis.labels import LabelFile

    return LabelFile(
        arguments.labels, arguments.by_entity, arguments.id_column, arguments.entity_column, arguments.time_column,
        arguments.label_column, arguments.reward_column, arguments.positive,
    )  # fmt: skip
