"""Resource types that write down who did what in an AWS account."""

TRAIL = "aws:cloudtrail/trail:Trail"
EVENT_STORE = "aws:cloudtrail/eventDataStore:EventDataStore"
