"""A page that is a network: one HTML file to draw on, to look inside and to switch neurons off, offline."""
