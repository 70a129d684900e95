"""Every reader of files from elsewhere."""

from fuzz_networks import WEIGHTS
from fuzz_runs import PLANS, RUNS
from fuzz_sets import PICTURES, SETS

READERS = [*PICTURES, *SETS, *WEIGHTS, *RUNS, *PLANS]
