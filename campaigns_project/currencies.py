"""How many minor units a currency has, by ISO 4217; most have a hundred, and are not listed."""

from __future__ import annotations

from decimal import Decimal

_PLACES = {
    currency: places
    for places, currencies in (
        (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
        (3, "BHD IQD JOD KWD LYD OMR TND"),
        (4, "CLF UYW"),
    )
    for currency in currencies.split()
}


def places(currency: str) -> int:
    """The decimals of an amount: 2 for USD, 0 for JPY, 3 for KWD."""
    return _PLACES.get(currency, 2)


def minor(amount: float | Decimal, currency: str) -> int | None:
    """Major units as minor ones: 25.5 USD are 2550, 500 JPY are 500; None when there are too many decimals."""
    exact = (amount if isinstance(amount, Decimal) else Decimal(repr(amount))).scaleb(places(currency))
    return int(exact) if exact == int(exact) else None


def major(amount: int, currency: str) -> int | float:
    """Minor units as major ones, whole where they are: 2550 cents are 25.5, 2500 are 25."""
    unit: int = 10 ** places(currency)
    return amount // unit if amount % unit == 0 else amount / unit


def too_fine(currency: str) -> str:
    """The sentence for an amount with too many decimals."""
    known = places(currency)
    return f"An amount in {currency} has {f'at most {known}' if known else 'no'} decimals."
