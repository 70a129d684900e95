"""A folder of a store as a store of its own."""

from dataclasses import dataclass

from rgbdsod.run.store import Store


@dataclass(frozen=True)
class Within:
    """Files below a folder of another store.

    Args:
        store: where they really lie.
        folder: below which.
    """

    store: Store
    folder: str

    def write(self, name: str, content: bytes) -> None:
        """Write a file, replacing one of that name."""
        self.store.write(f"{self.folder}/{name}", content)

    def read(self, name: str) -> bytes:
        """Content of a file that was written."""
        return self.store.read(f"{self.folder}/{name}")

    def names(self, folder: str) -> list[str]:
        """Names of all files below a folder, sorted."""
        return [name.removeprefix(f"{self.folder}/") for name in self.store.names(f"{self.folder}/{folder}")]

    def remove(self, name: str) -> None:
        """Remove a file; one that does not exist is no error."""
        self.store.remove(f"{self.folder}/{name}")
