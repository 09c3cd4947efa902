from datetime import datetime

import pytest
from flight_delay.data import Flight, planes, weather

KNOWN_WHEN_SCHEDULED = {"carrier", "flight", "origin", "dest", "tailnum", "scheduled_departure"}


def test_a_request_holds_only_what_is_known_before_departure(some_flights: list[Flight]) -> None:
    assert set(some_flights[0].context()) == KNOWN_WHEN_SCHEDULED


def test_a_flight_carries_no_measurement_but_its_label(some_flights: list[Flight]) -> None:
    assert set(Flight.__slots__) == KNOWN_WHEN_SCHEDULED | {"month", "late"}


def test_flights_come_in_order_of_departure(some_flights: list[Flight]) -> None:
    times = [datetime.fromisoformat(flight.scheduled_departure) for flight in some_flights]
    assert times == sorted(times)


def test_only_the_wanted_months_are_read(some_flights: list[Flight]) -> None:
    assert {flight.month for flight in some_flights} == {1, 7}


@pytest.mark.parametrize(("month", "offset"), [(1, "-05:00"), (7, "-04:00")])
def test_the_offset_follows_daylight_saving(some_flights: list[Flight], month: int, offset: str) -> None:
    assert {flight.scheduled_departure[-6:] for flight in some_flights if flight.month == month} == {offset}


def test_the_first_flight_of_the_year_is_read_right(two_months: list[Flight]) -> None:
    first = two_months[0]
    assert (first.entity_id, first.scheduled_departure) == ("UA-1545-N14228", "2013-01-01T05:15-05:00")
    assert not first.late  # it arrived 11 minutes late, and 15 are forgiven


def test_a_flight_without_arrival_has_no_label_and_is_left_out(two_months: list[Flight]) -> None:
    assert sum(flight.month == 1 for flight in two_months) == 26_398  # 27,004 were scheduled


def test_weather_leaves_out_what_was_not_measured() -> None:
    hours = dict(weather())
    assert hours["EWR:2013-01-01T06Z"]["temp"] == 39.02
    assert any("pressure" not in hour for hour in hours.values())


def test_planes_leave_out_an_unknown_year() -> None:
    known = dict(planes())
    assert known["N10156"] == {"year": 2004, "seats": 55}
    assert any("year" not in plane for plane in known.values())
