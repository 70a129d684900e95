"""Where the library says what a user should know but did not ask for. It prints nothing by itself."""

import logging

LOGGER = logging.getLogger("rgbdsod")
LOGGER.addHandler(logging.NullHandler())  # without a handler Python would print warnings to stderr
