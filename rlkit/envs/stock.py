"""Stocks and queues: what to order, whom to admit, how fast to serve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import prod

from gymnasium import spaces

from ..core import TableModel, from_successors
from .knobs import KnobError, chances, flag, listed, number, whole

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
    0, 1, 2, ... units, for each product by itself. The stock is empty at first. Raises `KnobError`. Source:
    Puterman (1994), section 3.2, whose numeric example the defaults are.
    """
    whole("capacity", capacity, 1)
    whole("products", products, 1, 4)
    each = chances("demand", demand)
    costs = {"fixed_cost": fixed_cost, "unit_cost": unit_cost, "holding_cost": holding_cost}
    fixed, per_unit, holding = (number(name, cost, 0) for name, cost in costs.items())
    number("price", price)
    if (capacity + 1) ** (2 * products) > MOST_CHOICES:
        raise KnobError(
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


def queue(
    *,
    capacity: int = 10,
    arrival: float = 0.3,
    rates: Sequence[float] = (0.2, 0.4, 0.6),
    rate_costs: Sequence[float] = (0.0, 1.0, 3.0),
    admission: bool = False,
    holding_cost: float = 0.5,
    fee: float = 5.0,
    discount: float = 0.95,
) -> TableModel:
    """Customers come and are served one at a time; choose how fast, and whom to admit (a controlled queue).

    The state is the number of customers, at most `capacity`; it is empty at first. An action is the
    probability `rates` with which the first of them is done in this slot, which costs `rate_costs`. Then a
    customer arrives with probability `arrival`, and enters and pays `fee` if there is room. With `admission`
    an action also says whether to admit or to reject. Each customer present costs `holding_cost` a slot.
    Raises `KnobError`. Source: Puterman (1994), section 3.7; Sennott (1999), chapter 1.
    """
    whole("capacity", capacity, 1, 100_000)
    number("arrival", arrival, 0, 1)
    number("holding_cost", holding_cost, 0)
    number("fee", fee)
    speeds = [number("rates", rate, 0, 1) for rate in listed("rates", rates)]
    costs = [number("rate_costs", cost) for cost in listed("rate_costs", rate_costs)]
    if not 0 < len(speeds) == len(costs):
        raise KnobError(
            f"rates and rate_costs must be equally many, at least one, not {rates!r} and {rate_costs!r}"
        )
    gates = {"reject, ": 0.0, "admit, ": arrival} if flag("admission", admission) else {"": arrival}
    options = {
        f"{gate}serve {rate:g}": (enters, rate, cost)
        for gate, enters in gates.items()
        for rate, cost in zip(speeds, costs, strict=True)
    }

    def outcomes(length: int) -> Mapping[str, list[tuple[float, int, float]]]:
        found = {}
        for name, (enters, rate, cost) in options.items():
            done = rate if length else 0.0
            paid = -holding_cost * length - cost
            rows: list[tuple[float, int, float]] = []
            for left, chance in ((length - 1, done), (length, 1 - done)):
                room = int(left < capacity)
                rows += [
                    (chance * enters, left + room, paid + fee * room),
                    (chance * (1 - enters), left, paid),
                ]
            found[name] = [row for row in rows if row[0] > 0]
        return found

    initial = {length: float(length == 0) for length in range(capacity + 1)}
    return TableModel(
        from_successors(
            outcomes, initial, discount=number("discount", discount, 0, 1), action_names=list(options)
        )
    )
