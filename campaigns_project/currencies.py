"""How many minor units a currency has, by ISO 4217; most have a hundred, and are not listed."""

from __future__ import annotations

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
