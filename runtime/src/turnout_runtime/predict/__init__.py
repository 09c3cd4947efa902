"""The dataplane: from a parsed request to a decision, within limits, whatever protocol it came by."""
