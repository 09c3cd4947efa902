"""Ours: the record's JSON on the caller's thread, all else on the writer's."""

import orjson
from loggers import TARGET, time_it

from turnout_runtime.log.files import LogFiles
from turnout_runtime.log.writer import LogWriter

writer = LogWriter(LogFiles(TARGET, 64 * 2**20, 64))
writer.start()
time_it(lambda row: writer.put([orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)]), lambda: writer.close(30.0))
