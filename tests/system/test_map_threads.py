"""A map is laid out on one thread, in a process of its own: libraries that are loaded late escape a limit."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.system

CODE = """
import json
import numpy as np
from throughtime.inspect import layout
from throughtime.vectors.table import Table

neighbours, seen = layout._neighbours, []

def look(*arguments):  # it runs when all the libraries have been used
    from threadpoolctl import threadpool_info
    seen.extend(pool["num_threads"] for pool in threadpool_info())
    return neighbours(*arguments)

layout._neighbours = look
table = Table([f"w{i}" for i in range(40)], np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32))
layout.lay_out(table, np.arange(40), method="tsne")
from threadpoolctl import threadpool_info
print(json.dumps([seen, [pool["num_threads"] for pool in threadpool_info()]]))
"""


def test_every_library_works_on_one_thread_until_the_map_is_made():
    threads = dict.fromkeys(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"], "2")
    run = subprocess.run([sys.executable, "-c", CODE], env={**os.environ, **threads}, capture_output=True, check=True)
    during, after = json.loads(run.stdout)
    assert set(during) == {1}
    assert 2 in after
