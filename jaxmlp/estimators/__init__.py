"""Scikit-learn's contract: classifiers and regressors for its pipelines, searches and inspections."""
