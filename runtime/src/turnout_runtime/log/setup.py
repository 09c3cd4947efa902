"""The log as it is configured."""

import os

from turnout_runtime.config import PredictionLog
from turnout_runtime.errors import ConfigInvalid
from turnout_runtime.log.files import LogFiles
from turnout_runtime.log.privacy import Privacy
from turnout_runtime.log.segments import Kind
from turnout_runtime.log.writer import LogWriter


def segments(settings: PredictionLog, kind: Kind = "predictions") -> LogFiles:
    """The segments that this process writes; raises `ConfigInvalid` where it may not."""
    directory = settings.directory
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigInvalid(f"predictionLog.directory {directory}: {error.strerror}") from error
    if not os.access(directory, os.W_OK | os.X_OK):
        raise ConfigInvalid(f"predictionLog.directory {directory} is not writable for uid {os.getuid()}")
    return LogFiles(
        directory,
        settings.max_file_bytes,
        settings.max_files,
        kind=kind,
        max_age=settings.max_age_seconds,
        sync=settings.sync,
        keep_oldest=settings.when_full == "dropNewest",
    )


def writer(settings: PredictionLog) -> LogWriter | None:
    """The writer of predictions, not started yet; None where none are logged. Raises `ConfigInvalid`."""
    if not settings.enabled:
        return None
    return LogWriter(segments(settings), flush=settings.flush_seconds, loss=settings.shipped)


def privacy(settings: PredictionLog) -> Privacy | None:
    """What to hide of each record; None for nothing. Raises `ConfigInvalid` when the key is missing."""
    hidden = settings.hash
    if hidden is None:
        return Privacy(settings.redact) if settings.redact else None
    return Privacy(settings.redact, hidden.fields, hidden.key())
