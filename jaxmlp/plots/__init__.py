"""Charts of numbers, and pictures of a classifier, of images, of weights, of a sweep."""
