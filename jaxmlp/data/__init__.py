"""Arrays, tables and named sets, checked and split."""
