"""A process that does nothing but write a log: `python log_writing.py DIRECTORY FLUSH FIRST_NUMBER`.

It tells each number, on stdout, as soon as its row was put.
"""

import os
import sys
from itertools import count
from pathlib import Path

from turnout_runtime.log.files import LogFiles
from turnout_runtime.log.writer import LogWriter

PAD = ("x" * 20_000, "x" * 100)


def main() -> None:
    directory, flush, first = sys.argv[1:]
    writer = LogWriter(LogFiles(Path(directory), 3_000_000, 1000), flush=float(flush))
    writer.start()
    for number in count(int(first)):
        writer.put([b'{"n":%d,"pad":"%b"}\n' % (number, PAD[number % 7 > 0].encode())])
        os.write(1, b"%d\n" % number)


if __name__ == "__main__":
    main()
