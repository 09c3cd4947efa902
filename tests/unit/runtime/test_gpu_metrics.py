from types import SimpleNamespace
from typing import Any

import pytest

from turnout_runtime.telemetry import gpu


class NotSupported(Exception):
    pass


class Nvml:
    """A driver with a whole device and a MIG slice, which has neither utilization nor an error count."""

    NVML_MEMORY_ERROR_TYPE_UNCORRECTED, NVML_VOLATILE_ECC, NVMLError = 1, 0, NotSupported

    def nvmlDeviceGetCount(self) -> int:
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return ("GPU-1", "MIG-2")[handle]

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:
        return SimpleNamespace(used=(1 << 30, 5)[handle], total=(80 << 30, 10)[handle])

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:
        if handle == 1:
            raise NotSupported
        return SimpleNamespace(gpu=25)

    def nvmlDeviceGetTotalEccErrors(self, handle: int, kind: int, since: int) -> int:
        if handle == 1 or (kind, since) != (1, 0):
            raise NotSupported
        return 3


def test_each_device_tells_what_it_can() -> None:
    samples = {
        (sample.name, sample.labels["gpu"]): sample.value
        for family in gpu.GpuMetrics(Nvml()).collect()  # type: ignore[arg-type]
        for sample in family.samples
    }
    assert samples == {
        ("turnout_gpu_memory_used_bytes", "GPU-1"): 1 << 30,
        ("turnout_gpu_memory_used_bytes", "MIG-2"): 5,
        ("turnout_gpu_memory_total_bytes", "GPU-1"): 80 << 30,
        ("turnout_gpu_memory_total_bytes", "MIG-2"): 10,
        ("turnout_gpu_utilization_ratio", "GPU-1"): 0.25,
        ("turnout_gpu_memory_errors_total", "GPU-1"): 3,
    }


class Lost(Nvml):
    """The first device has fallen off the bus."""

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        if index == 0:
            raise NotSupported
        return index


class Gone(Nvml):
    def nvmlDeviceGetCount(self) -> int:
        raise NotSupported


def test_a_device_that_is_lost_costs_no_other_metrics() -> None:
    def told(nvml: Any) -> set[str]:
        return {sample.labels["gpu"] for family in gpu.GpuMetrics(nvml).collect() for sample in family.samples}

    assert told(Lost()) == {"MIG-2"}
    assert told(Gone()) == set()


def test_without_a_driver_there_are_no_gpu_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    import pynvml

    def no_driver() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", no_driver)
    monkeypatch.setattr(gpu, "_DRIVERS", ("/dev/null",))
    assert gpu.gpu_metrics() is None
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    assert gpu.gpu_metrics() is not None
    monkeypatch.setattr(gpu, "_DRIVERS", ("/dev/none-such",))
    assert gpu.gpu_metrics() is None
