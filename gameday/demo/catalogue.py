"""What the shop sells."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One product; `cents` is its price."""

    sku: str
    title: str
    cents: int


PRODUCTS = tuple(
    Product(sku=f"{letter}{number}", title=f"{what}, {size}", cents=cents + 250 * number)
    for letter, what, cents in (
        ("A", "enamel mug", 900),
        ("B", "wool blanket", 4900),
        ("C", "field lamp", 2900),
        ("D", "canvas bag", 1900),
    )
    for number, size in enumerate(("small", "medium", "large", "extra large"), start=1)
)
