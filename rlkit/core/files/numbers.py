"""Decimal numbers out of raw bytes, a whole column at a time and correctly rounded."""

import math
import re

import numpy as np
import numpy.typing as npt

from rlkit.core.mdp import BoolArray, FloatArray, IntArray

Bytes = npt.NDArray[np.uint8]

DIGITS = 17  # significant digits that the vectorised path takes; int64 holds 18
POWERS = np.array([float(10**k) for k in range(23)])  # the powers of ten that float64 holds exactly
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
FRACTION = re.compile(r"([+-]?\d+)/(\d+)", re.ASCII)


class BadToken(ValueError):
    """A word that is no number, and its place in the column."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


def integers(text: Bytes, start: IntArray, stop: IntArray) -> IntArray:
    """Whole numbers below 10^18, [N], from the words text[start:stop]; raises `BadToken` for others."""
    length = stop - start
    wrong = length > 18
    value = np.zeros(len(start), dtype=np.int64)
    last = len(text) - 1
    for k in range(min(int(length.max(initial=0)), 18)):
        inside = length > k
        digit = text[np.minimum(start + k, last)] - np.uint8(48)
        wrong |= inside & (digit > 9)
        value = np.where(inside, value * 10 + digit, value)
    if wrong.any():
        raise BadToken(int(np.argmax(wrong)))
    return value


def decimals(text: Bytes, start: IntArray, stop: IntArray) -> FloatArray:
    """Finite numbers [N], plain, with an exponent or as a fraction, each rounded once to the nearest float64.

    Raises `BadToken` for the first word that is none.
    """
    negative = text[start] == ord("-")
    begin = start + negative
    length = stop - begin
    mantissa = np.zeros(len(start), dtype=np.int64)
    digits, places = np.zeros((2, len(start)), dtype=np.int8)
    dotted, hard = np.zeros((2, len(start)), dtype=np.bool_)
    last = len(text) - 1
    for k in range(min(int(length.max(initial=0)), 24)):
        inside = length > k
        code = text[np.minimum(begin + k, last)]
        digit = code - np.uint8(48)
        counts = inside & (digit <= 9)
        dot = inside & (code == ord("."))
        hard |= (inside & ~counts & ~dot) | (dot & dotted) | (counts & (mantissa >= 10**DIGITS))
        dotted |= dot
        mantissa = np.where(counts & ~hard, mantissa * 10 + digit, mantissa)
        digits += counts
        places += counts & dotted
    hard |= (digits == 0) | (length > 24) | (places > 22)
    value, unsure = _scaled(mantissa, POWERS[np.where(hard, 0, places)])
    value = np.where(negative, -value, value)
    for i in np.flatnonzero(hard | unsure):
        try:
            value[i] = decimal(text[start[i] : stop[i]].tobytes().decode("utf-8", "replace"))
        except ValueError:
            raise BadToken(int(i)) from None
    return value


def _scaled(mantissa: IntArray, power: FloatArray) -> tuple[FloatArray, BoolArray]:
    """mantissa / power, [N], and where the rounding is in doubt, [N].

    A mantissa below 2^53 takes one division, which rounds correctly (Clinger 1990). A longer one is divided
    as an unevaluated sum of two floats (Dekker 1971), whose error is far below the half unit that decides.
    """
    high = mantissa.astype(np.float64)
    quotient = high / power
    long = np.flatnonzero(mantissa >= 2**53)
    unsure = np.zeros(len(mantissa), dtype=np.bool_)
    if len(long):
        low = (mantissa[long] - high[long].astype(np.int64)).astype(np.float64)
        q, d = quotient[long], power[long]
        product, error = _two_product(q, d)
        rest = (((high[long] - product) - error) + low) / d
        total = q + rest
        quotient[long] = total
        slack = np.abs(rest) * 2.0**-40 + np.abs(total) * 2.0**-90
        unsure[long] = (q + (rest - slack)) != (q + (rest + slack))
    return quotient, unsure


def _two_product(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The rounded product and its exact error."""
    product = a * b
    a_high, a_low = _halves(a)
    b_high, b_low = _halves(b)
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, error


def _halves(a: FloatArray) -> tuple[FloatArray, FloatArray]:
    scaled = a * (2.0**27 + 1)
    high = scaled - (scaled - a)
    return high, a - high


def decimal(word: str) -> float:
    """One finite number, plain, with an exponent or as a fraction; raises `ValueError` for another word."""
    value = math.nan
    if len(word) <= 1000 and NUMBER.fullmatch(word):
        value = float(word)
    elif len(word) <= 1000 and (match := FRACTION.fullmatch(word)) and int(match[2]):
        try:
            value = int(match[1]) / int(match[2])
        except OverflowError:
            value = math.inf
    if not math.isfinite(value):
        raise ValueError(f"{word!r} is no number")
    return value
