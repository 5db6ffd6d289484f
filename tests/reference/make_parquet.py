#!/usr/bin/env python3
"""Makes the Parquet fixtures of the host's loader, by an implementation that shares no line with ours: pyarrow.

    python tests/reference/make_parquet.py            # writes host/src/data/fixtures/*.parquet
    python tests/reference/make_parquet.py --check    # the committed files hold these tables, exit 1 if not

Needs pyarrow (24 or later was used). Bytes may differ between its versions, so the check compares what the files hold.
"""

import argparse
import datetime
import pathlib
import sys

import pyarrow as pa
import pyarrow.parquet as pq

FIXTURES = pathlib.Path(__file__).resolve().parents[2] / "host/src/data/fixtures"


def types():
    """Every type that is a cell, with missing values, and two that aren't; the loader's tests know the numbers."""
    return pa.table({
        "f32": pa.array([0.1, None, -2.5, 3e38, 7.0], pa.float32()),
        "f64": pa.array([0.1, 1e-3, -2.5, 1e30, 0.2], pa.float64()),
        "i8": pa.array([-1, 2, 3, 4, 5], pa.int8()),
        "i32": pa.array([1, None, 3, 4, 2_000_000_000], pa.int32()),
        "i64": pa.array([1, 2, 3, 4, -5], pa.int64()),
        "u8": pa.array([255, 0, 1, 2, 3], pa.uint8()),
        "u32": pa.array([4_294_967_295, 0, 1, 2, 3], pa.uint32()),
        "flag": pa.array([True, False, None, True, False], pa.bool_()),
        "kind": pa.array(["walk", "still", "walk", "still", "walk"], pa.string()),
        "group": pa.array(["a", "a", None, "b", "b"], pa.string()),
        "day": pa.array([datetime.date(2020, 1, 1)] * 5, pa.date32()),
        "list": pa.array([[1.0], [], [2.0, 3.0], [4.0], [5.0]], pa.list_(pa.float32())),
    })


def files():
    """Compression and pages as they are usual, and as small as they can be."""
    required = pa.schema([pa.field("x", pa.float32(), nullable=False), pa.field("y", pa.int64(), nullable=False)])
    plain = pa.table({"x": [1.5, -2.0, 3.25], "y": [0, 1, 0]}, schema=required)
    return {
        "types.parquet": (types(), dict(compression="snappy", row_group_size=2)),
        "zstd.parquet": (types(), dict(compression="zstd", data_page_version="2.0")),
        "plain.parquet": (plain, dict(compression="none", use_dictionary=False)),
        "gzip.parquet": (plain, dict(compression="gzip")),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    differ = False
    for name, (table, how) in files().items():
        path = FIXTURES / name
        if not check:
            pq.write_table(table, path, **how)
        same = path.exists() and pq.read_table(path).equals(table)
        differ |= not same
        print(f"{'ok' if same else 'DIFFERS'}  {name}  {path.stat().st_size} bytes")
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
