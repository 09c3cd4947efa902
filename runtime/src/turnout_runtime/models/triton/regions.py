"""System shared memory that a Triton on this machine reads inputs from, instead of out of a message.

A region's name is removed as soon as the server has mapped it, so nothing is left behind whatever ends this process.
"""

import mmap
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

_FOLDER = Path("/dev/shm")  # noqa: S108  # where POSIX shared memory lives on Linux
_SMALLEST = 1 << 20  # bytes


class Registrar(Protocol):
    """The part of tritonclient's asynchronous client that is used here."""

    async def register_system_shared_memory(
        self, name: str, key: str, byte_size: int, *, client_timeout: float | None = None
    ) -> None:
        """Map it on the server."""

    async def unregister_system_shared_memory(self, name: str, *, client_timeout: float | None = None) -> None:
        """Unmap it there."""


class Region:
    """Bytes under a name."""

    def __init__(self, size: int) -> None:
        self.name = f"turnout-{os.getpid()}-{secrets.token_hex(6)}"
        self.size = size
        self._path = _FOLDER / self.name
        file = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        try:
            os.fchmod(file, 0o666)  # the server may run under another user of the pod
            os.ftruncate(file, size)
            self._map = mmap.mmap(file, size)
        finally:
            os.close(file)

    @property
    def key(self) -> str:
        """The name as shm_open takes it."""
        return f"/{self.name}"

    def hide(self) -> None:
        """Remove the name; the memory lives on while somebody has mapped it."""
        self._path.unlink(missing_ok=True)

    def write(self, arrays: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
        """Copy the arrays one after the other; each one's offset and size in bytes."""
        import numpy as np

        places, start = {}, 0
        for name, array in arrays.items():
            view = np.frombuffer(self._map, dtype=array.dtype, count=array.size, offset=start)
            view[:] = array.reshape(-1)
            places[name] = (start, array.nbytes)
            start += array.nbytes
        return places


class Regions:
    """Regions that the server knows and no request uses at present."""

    def __init__(self) -> None:
        self._free: list[Region] = []

    async def take(self, client: Registrar, size: int, timeout: float | None) -> Region:
        """A region of at least this size; raises what the client raises."""
        for region in self._free:
            if region.size >= size:
                self._free.remove(region)
                return region
        if self._free:
            await client.unregister_system_shared_memory(self._free.pop().name, client_timeout=timeout)
        region = Region(max(_SMALLEST, 1 << (size - 1).bit_length()))
        try:
            await client.register_system_shared_memory(region.name, region.key, region.size, client_timeout=timeout)
        finally:
            region.hide()
        return region

    def give(self, region: Region) -> None:
        """It is free again. A request that timed out may still read it, but nobody wants that answer."""
        self._free.append(region)

    async def close(self, client: Registrar) -> None:
        """Tell the server to let go of all."""
        while self._free:
            await client.unregister_system_shared_memory(self._free.pop().name, client_timeout=1.0)
