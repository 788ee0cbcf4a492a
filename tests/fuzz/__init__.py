"""Damaged inputs by seed: whatever a file holds, the product answers with a result or with one clear sentence.

`python -m tests.fuzz --cases 10000 --seed 0` runs many and lists what failed; tests/test_fuzz.py runs some of each
kind. A kind is a module in tests/fuzz/kinds that holds `KINDS`.
"""
