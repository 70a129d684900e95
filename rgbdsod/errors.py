"""Errors a user can cause; each carries the exit code that tells a script what kind it was."""


class RgbdsodError(Exception):
    """Base of all errors that are explained in one sentence instead of a traceback."""

    code = 1


class UsageError(RgbdsodError, ValueError):
    """A flag, a name or a value is wrong."""

    code = 2


class DataError(RgbdsodError):
    """Data are missing, unreadable or not aligned."""

    code = 3


class WeightsError(RgbdsodError):
    """Weights are missing, have the wrong checksum or do not fit."""

    code = 4


class DeviceError(RgbdsodError):
    """The device is missing, or out of memory at the smallest batch."""

    code = 5


class CheckError(RgbdsodError):
    """A check failed."""

    code = 6
