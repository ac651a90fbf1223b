#!/bin/bash
# As Harbor's verifiers do it: the reward is in a file.
if python3 /tests/check.py; then
    echo 1 > /logs/verifier/reward.txt
else
    echo 0 > /logs/verifier/reward.txt
fi
