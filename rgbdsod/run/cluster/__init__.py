"""A run on a Ray cluster: the driver holds the folder, tasks compute its pieces."""
