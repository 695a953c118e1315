"""The cheapest pairing of predictions and objects."""

import numpy as np


def assign(costs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the cheapest pairing that uses every column once, (rows, columns).

    Shortest augmenting paths with potentials (Jonker and Volgenant 1987): exact, in
    columns^2 * rows steps. There must be no more columns than rows.
    """
    rows, columns = costs.shape
    row_price, column_price = np.zeros(rows), np.zeros(columns)
    taken = np.full(rows, -1)  # the column that each row is paired with
    for start in range(columns):
        distance = np.full(rows, np.inf)
        before = np.full(rows, -1)  # the row before on the cheapest path
        done = np.zeros(rows, dtype=bool)
        column, row = start, -1
        travelled = 0.0
        while column >= 0:
            reached = travelled + costs[:, column] - column_price[column] - row_price
            nearer = ~done & (reached < distance)
            distance[nearer], before[nearer] = reached[nearer], row
            row = int(np.where(done, np.inf, distance).argmin())
            done[row], travelled = True, distance[row]
            column = taken[row]
        paired = done & (taken >= 0)
        column_price[start] += travelled
        column_price[taken[paired]] += travelled - distance[paired]
        row_price[done] += distance[done] - travelled
        while row >= 0:  # move every pair on the path to its predecessor's row
            previous = before[row]
            taken[row] = start if previous < 0 else taken[previous]
            row = previous
    chosen = np.flatnonzero(taken >= 0)
    return chosen, taken[chosen]
