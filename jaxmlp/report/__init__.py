"""What a search is worth, for people with data: baselines, measures with intervals, columns, one page."""
