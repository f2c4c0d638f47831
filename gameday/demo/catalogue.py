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

#: What a customer agrees to. It is stored with each order, as it was then.
TERMS = """\
1. The contract is made when we confirm the order; until then either side may leave it.
2. The price is the one shown when the order was placed. It has the tax in it, and not the freight.
3. We charge when the order has been stored, once, and never for an order that was refused.
4. Where the provider of the payment does not answer, the order is accepted and charged later.
5. What was bought may be sent back within thirty days, whole and dry. Mugs that were drunk from may
   be sent back as well, but not those that were broken on purpose.
6. We keep the order for as long as the law says, and the address for no longer than the parcel
   needs. Nobody else is given either of them.
7. Where one of these sentences does not hold, the others do.
"""
