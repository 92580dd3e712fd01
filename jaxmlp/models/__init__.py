"""A trained network or ensemble as one file, its predictions, calibration and evaluation."""
