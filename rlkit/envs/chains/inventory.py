"""Inventory control: what to order before demand is known."""

from collections.abc import Mapping, Sequence
from itertools import product
from math import prod

from gymnasium import spaces

from ...core import TableModel, from_successors
from ..options import OptionError, chances, number, whole

MOST_CHOICES = 200_000


class Units(tuple[int, ...]):
    """So many of each product."""

    def __str__(self) -> str:
        return " + ".join(map(str, self))


def inventory(
    *,
    capacity: int = 3,
    demand: Sequence[float] = (0.25, 0.5, 0.25),
    fixed_cost: float = 4.0,
    unit_cost: float = 2.0,
    holding_cost: float = 1.0,
    price: float = 8.0,
    products: int = 1,
    discount: float = 0.9,
) -> TableModel:
    """Order goods before the demand is known; what is not in stock is not sold (inventory control).

    A state is the stock of each product, at most `capacity` of each; an action is how many of each to order,
    at once delivered. One product can only be ordered as far as there is room; of several (MultiDiscrete)
    what finds no room is neither delivered nor paid. Any delivery costs `fixed_cost` and `unit_cost` a unit,
    stock after it `holding_cost` a unit, and a unit sold brings `price`. `demand` is the probability of
    0, 1, 2, ... units, for each product by itself. The stock is empty at first. Raises `OptionError`. Source:
    Puterman (1994), section 3.2, whose numeric example the defaults are.
    """
    whole("capacity", capacity, 1)
    whole("products", products, 1, 4)
    each = chances("demand", demand)
    costs = {"fixed_cost": fixed_cost, "unit_cost": unit_cost, "holding_cost": holding_cost}
    fixed, per_unit, holding = (number(name, cost, 0) for name, cost in costs.items())
    number("price", price)
    if (capacity + 1) ** (2 * products) > MOST_CHOICES:
        raise OptionError(
            f"capacity {capacity} of {products} products gives more than {MOST_CHOICES} choices: "
            "lower capacity or products"
        )
    stocks = [Units(units) for units in product(range(capacity + 1), repeat=products)]
    demands = [
        (prod(each[unit] for unit in units), units) for units in product(range(len(each)), repeat=products)
    ]

    def outcomes(stock: Units) -> Mapping[str, list[tuple[float, Units, float]]]:
        found = {}
        for order in stocks:
            filled = [min(s + o, capacity) for s, o in zip(stock, order, strict=True)]
            delivered = sum(filled) - sum(stock)
            if products == 1 and delivered < sum(order):
                continue
            spent = fixed * (delivered > 0) + per_unit * delivered + holding * sum(filled)
            rows = []
            for chance, units in demands:
                left = Units(max(f - u, 0) for f, u in zip(filled, units, strict=True))
                rows.append((chance, left, price * (sum(filled) - sum(left)) - spent))
            found[f"order {order}"] = rows
        return found

    initial = {stock: float(not any(stock)) for stock in stocks}
    model = TableModel(
        from_successors(
            outcomes,
            initial,
            discount=number("discount", discount, 0, 1),
            action_names=[f"order {order}" for order in stocks],
        )
    )
    if products > 1:
        model.action_space = spaces.MultiDiscrete([capacity + 1] * products)
    return model
