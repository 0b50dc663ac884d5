"""Every route visits every cell once, in the order the paper draws."""

import pytest
import torch

from agents.encoders.routes import PATTERNS, scan_routes

SHAPES = [(21, 79), (9, 9), (11, 40), (5, 7), (7, 5), (6, 4), (1, 7), (7, 1), (1, 1), (2, 2)]


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_a_route_and_its_reverse_are_permutations(height: int, width: int) -> None:
    routes = scan_routes(height, width)
    assert tuple(routes) == PATTERNS
    every = torch.arange(height * width)
    for pair in routes.values():
        assert pair.shape == (2, height * width)
        for route in (*pair, *pair.flip(-1)):
            assert torch.equal(route.sort().values, every)
            assert torch.equal(route[route.argsort()], every)


def test_routes_on_three_by_four_by_hand() -> None:
    #   0  1  2  3
    #   4  5  6  7
    #   8  9 10 11
    routes = {name: pair.tolist() for name, pair in scan_routes(3, 4).items()}
    assert routes["C"][0] == [0, 1, 2, 3, 7, 6, 5, 4, 8, 9, 10, 11]
    assert routes["C"][1] == [0, 4, 8, 9, 5, 1, 2, 6, 10, 11, 7, 3]
    assert routes["X"][0] == [0, 1, 4, 8, 5, 2, 3, 6, 9, 10, 7, 11]
    assert routes["X"][1] == [3, 2, 7, 11, 6, 1, 0, 5, 10, 9, 4, 8]
    assert routes["S"][0] == [0, 1, 2, 3, 7, 11, 10, 9, 8, 4, 5, 6]
    assert routes["S"][1] == [8, 9, 10, 11, 7, 3, 2, 1, 0, 4, 5, 6]
    assert routes["Z"][0] == list(range(12))
    assert routes["Z"][1] == [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]


@pytest.mark.parametrize(("height", "width"), [(21, 79), (9, 9), (5, 7), (6, 4), (2, 3)])
def test_routes_equal_loops_over_cells(height: int, width: int) -> None:
    routes = scan_routes(height, width)
    cells = [(i, j) for i in range(height) for j in range(width)]

    def check(name: str, which: int, order: list[tuple[int, int]]) -> None:
        assert routes[name][which].tolist() == [i * width + j for i, j in order]

    check("C", 0, sorted(cells, key=lambda c: (c[0], c[1] * (-1) ** c[0])))
    check("C", 1, sorted(cells, key=lambda c: (c[1], c[0] * (-1) ** c[1])))
    zigzag = sorted(cells, key=lambda c: (sum(c), c[0] * (-1 if sum(c) % 2 == 0 else 1)))
    check("X", 0, zigzag)
    check("X", 1, [(i, width - 1 - j) for i, j in zigzag])
    spiral = _spiral(height, width)
    check("S", 0, spiral)
    check("S", 1, [(height - 1 - i, j) for i, j in spiral])
    check("Z", 0, cells)
    check("Z", 1, sorted(cells, key=lambda c: (c[1], c[0])))


def _spiral(height: int, width: int) -> list[tuple[int, int]]:
    """Walk right, down, left, up, turning where a cell is outside or was visited."""
    order, visited, turn, at = [(0, 0)], {(0, 0)}, 0, (0, 0)
    steps = [(0, 1), (1, 0), (0, -1), (-1, 0)]
    while len(order) < height * width:
        i, j = at[0] + steps[turn][0], at[1] + steps[turn][1]
        if not (0 <= i < height and 0 <= j < width) or (i, j) in visited:
            turn = (turn + 1) % 4
            continue
        at = (i, j)
        order.append(at)
        visited.add(at)
    return order


def test_where_the_spiral_ends() -> None:
    assert scan_routes(9, 9)["S"][0, -1] == 4 * 9 + 4, "on the hero of a centred crop"
    assert divmod(int(scan_routes(21, 79)["S"][0, -1]), 79) == (10, 68)


@pytest.mark.parametrize(("name", "jump"), [("C", 1), ("S", 1), ("X", 2), ("Z", 79)])
def test_the_longest_jump_of_each_pattern(name: str, jump: int) -> None:
    for route in scan_routes(21, 79)[name]:
        i, j = route // 79, route % 79
        assert int((i.diff().abs() + j.diff().abs()).max()) <= jump


def test_the_farthest_jump_of_rows_is_a_row() -> None:
    route = scan_routes(21, 79)["Z"][0]
    assert int((route % 79).diff().abs().max()) == 78
