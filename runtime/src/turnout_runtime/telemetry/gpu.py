"""The pod's GPUs, read through NVML whenever Prometheus asks (NVIDIA Management Library API reference).

In a container NVML shows the devices that the device plugin gave to it, and no others. What a device does not tell,
such as the utilization of a MIG slice, is left out rather than reported as zero.
"""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_log = logging.getLogger("turnout.gpu")
_DRIVERS = ("/dev/nvidiactl", "/dev/dxg")  # of Linux, and of Linux on Windows


class GpuMetrics(Collector):
    """Memory (bytes), utilization (0..1) and memory errors of each device, by its UUID."""

    def __init__(self, nvml: ModuleType) -> None:
        """`nvml` is the module `pynvml`, initialised."""
        self._nvml = nvml

    def collect(self) -> Iterator[Metric]:
        """Read all devices."""
        labels = ("gpu",)
        used = GaugeMetricFamily("turnout_gpu_memory_used_bytes", "Memory in use on the device", labels=labels)
        total = GaugeMetricFamily("turnout_gpu_memory_total_bytes", "Memory of the device", labels=labels)
        busy = GaugeMetricFamily("turnout_gpu_utilization_ratio", "Share of time a kernel ran, 0 to 1", labels=labels)
        errors = CounterMetricFamily(
            "turnout_gpu_memory_errors", "Uncorrected memory errors since the driver started", labels=labels
        )
        for uuid, handle in self._devices():
            if memory := self._read(self._nvml.nvmlDeviceGetMemoryInfo, handle):
                used.add_metric(uuid, memory.used)
                total.add_metric(uuid, memory.total)
            if rates := self._read(self._nvml.nvmlDeviceGetUtilizationRates, handle):
                busy.add_metric(uuid, rates.gpu / 100)
            if (count := self._read(self._uncorrected, handle)) is not None:
                errors.add_metric(uuid, count)
        yield from (used, total, busy, errors)

    def _devices(self) -> Iterator[tuple[list[str], Any]]:
        """The labels and the handle of each device that is still there: one that is lost must not cost all metrics."""
        nvml = self._nvml
        for device in range(self._read(nvml.nvmlDeviceGetCount) or 0):
            handle = self._read(nvml.nvmlDeviceGetHandleByIndex, device)
            if handle is not None and (uuid := self._read(nvml.nvmlDeviceGetUUID, handle)) is not None:
                yield [str(uuid)], handle

    def _uncorrected(self, handle: Any) -> int:
        nvml = self._nvml
        kind, since = nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nvml.NVML_VOLATILE_ECC
        return int(nvml.nvmlDeviceGetTotalEccErrors(handle, kind, since))

    def _read(self, read: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return read(*arguments)
        except self._nvml.NVMLError:  # this device, or this slice of one, does not tell
            return None


def gpu_metrics() -> GpuMetrics | None:
    """The collector, or None where there is no GPU, no driver, or no NVML binding."""
    if not any(Path(device).exists() for device in _DRIVERS):
        return None
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        _log.info("no GPU is watched", extra={"reason": str(error)})
        return None
    return GpuMetrics(pynvml)
