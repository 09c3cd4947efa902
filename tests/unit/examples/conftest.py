"""A small, real part of the data: every 60th flight of January and July."""

import pytest
from flight_delay import facts, manifests
from flight_delay.bundles import Data
from flight_delay.data import Flight, flights
from flight_delay.offline import Snapshot


@pytest.fixture(scope="session")
def snapshot() -> Snapshot:
    return Snapshot(facts.tables(), manifests.fact_fallbacks())


@pytest.fixture(scope="session")
def two_months() -> list[Flight]:
    return flights([1, 7])


@pytest.fixture(scope="session")
def some_flights(two_months: list[Flight]) -> list[Flight]:
    return two_months[::60]


@pytest.fixture(scope="session")
def small_data(some_flights: list[Flight], snapshot: Snapshot) -> Data:
    training, replay = ([flight for flight in some_flights if flight.month == month] for month in (1, 7))
    return Data(training, replay, snapshot)
