"""What torch computes, computed faster on a CPU: products by oneDNN, tanh and recurrence in compiled loops.

The environment variable `RLKIT_FAST=0` leaves all of it to torch (`switch.py`).
"""
