"""From data and ranges to a tuned, calibrated ensemble: members, halving, selection."""
