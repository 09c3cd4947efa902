"""Running programs, with errors that say what failed and how it ended."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path


class ClusterError(Exception):
    """Something the user can act on; its text is all they see."""


def run(argv: Sequence[str | Path], *, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Run `argv` and return its standard output.

    Raises:
        ClusterError: the program is missing or failed; the text ends with its last lines.
    """
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise ClusterError(f"{words[0]} is not installed") from error
    if done.returncode:
        raise ClusterError(f"`{' '.join(words)}` failed ({done.returncode}):\n{tail(done.stderr or done.stdout)}")
    return done.stdout


def stream(argv: Sequence[str | Path], seen: Callable[[str], None], *, cwd: Path, env: dict[str, str]) -> None:
    """Run `argv`, a slow program, handing each line of its output to `seen` as it comes.

    Raises:
        ClusterError: it failed; the text ends with its last lines.
    """
    words, lines = [str(word) for word in argv], []
    with subprocess.Popen(
        words, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            lines.append(line)
            seen(line.strip())
    if process.returncode:
        raise ClusterError(f"`{' '.join(words[:4])} …` failed ({process.returncode}):\n{tail(''.join(lines), 30)}")


def succeeds(argv: Sequence[str | Path]) -> bool:
    """Tell whether `argv` exists and exits 0, whatever it prints."""
    try:
        return subprocess.run([str(w) for w in argv], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def tail(text: str, lines: int = 15) -> str:
    """Return the last `lines` lines of `text`."""
    return "\n".join(text.strip().splitlines()[-lines:])
