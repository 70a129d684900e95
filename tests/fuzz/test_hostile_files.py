"""No reader is brought down by a file: it reads it, or says in one sentence what is wrong, and runs nothing."""

from pathlib import Path

import pytest
from fuzz_check import faults
from fuzz_reader import Reader
from fuzz_readers import READERS, RUNS

_FEW, _SOME = 2, 7  # a page takes as long to make as a hundred files to refuse


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_reader_reads_or_refuses(reader: Reader, tmp_path: Path, long: bool) -> None:
    slow = reader in RUNS or reader.name.startswith("Flowers")  # whose files are read by processes of their own
    most = _FEW if slow else _SOME
    assert list(faults(reader, tmp_path, None if long else most)) == []
