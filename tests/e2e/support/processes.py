"""The processes of pods, which the local cluster and kind both run on this host."""

from pathlib import Path


def process_of(pod: str, program: str) -> int:
    """The oldest process of a pod, by the environment that its containers have, whose command names the program."""
    wanted, named = f"POD_NAME={pod}".encode(), program.encode()
    found = [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if _is(folder, wanted, named)]
    assert found, f"no process {program} of {pod} on this host"
    return min(found)


def _is(folder: Path, variable: bytes, program: bytes) -> bool:
    try:
        mine = variable in (folder / "environ").read_bytes().split(b"\0")
        return mine and program in (folder / "cmdline").read_bytes()
    except OSError:
        return False
