"""The range that is made up: every slot that has flights of 2013 in its window."""

from datetime import datetime
from zoneinfo import ZoneInfo

from examples.flights.data import ZONE

# The slot at 03:00 stands for the day before, so those of 2 January to 1 January: 365 of them.
SINCE = datetime(2013, 1, 2, tzinfo=ZoneInfo(ZONE))
UNTIL = datetime(2014, 1, 2, tzinfo=ZoneInfo(ZONE))
