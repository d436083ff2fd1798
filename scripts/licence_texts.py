#!/usr/bin/env python3
"""Prints the licences and copyright notices of all crates that the extension and its programs contain, as their
authors ship them. Each text is there once, below the names of its crates."""

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FEATURES = ["--no-default-features", "--features", "pg15,object_store,parquet"]
NAMES = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)", re.IGNORECASE)


def cargo(*arguments):
    done = subprocess.run(["cargo", *arguments, "--locked"], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout


def linked():
    """Names and versions of the crates, without those that only compile."""
    crates = set()
    for package, features in (("trips_pipeline", FEATURES), ("trips_reader", []), ("trips_watch", []), ("trips_console", [])):
        tree = cargo("tree", "--package", package, *features, "--edges", "normal,no-proc-macro",
                     "--target", "x86_64-unknown-linux-gnu", "--prefix", "none", "--format", "{p}")
        crates.update(tuple(line.split()[:2]) for line in tree.splitlines() if line)
    return crates


def main():
    wanted = linked()
    texts, without = {}, []
    for package in json.loads(cargo("metadata", "--format-version", "1"))["packages"]:
        name = f"{package['name']} {package['version']}"
        # Crates of this project have the licence of the project.
        if (package["name"], "v" + package["version"]) not in wanted or not package["source"]:
            continue
        directory = pathlib.Path(package["manifest_path"]).parent
        files = [path for path in sorted(directory.iterdir()) if path.is_file() and NAMES.match(path.name)]
        for path in files:
            texts.setdefault(path.read_text(errors="replace").strip(), []).append(f"{name}, {path.name}")
        if not files:
            without.append(f"{name}: {package['license']}, by {', '.join(package['authors']) or 'its authors'}")
    if not texts:
        sys.exit("no licence is found")
    for text, names in sorted(texts.items(), key=lambda item: item[1]):
        print("\n".join(["=" * 80, *names, "=" * 80, text, ""]))
    # What the page of trips_console bundles; without it, the program has no page.
    page = ROOT / "crates/trips_console/page/dist/licences.txt"
    if page.is_file():
        print("\n".join(["=" * 80, "The page of trips_console, licences.txt", "=" * 80, page.read_text(), ""]))
    if without:
        print("\n".join(["=" * 80, "Crates without a file of their licence", "=" * 80, *sorted(without)]))


main()
