"""Several attacks together: worst cases and health checks."""
