"""Networks as pure functions: parameters, output heads, metrics, preprocessing, augmentation."""
