/** Assigned pairs of rows and columns, ordered by row. */
export interface Assignment {
  readonly rows: Int32Array;
  readonly columns: Int32Array;
}

/**
 * Linear sum assignment: min(rows, columns) pairs of rows and columns with the smallest total cost.
 *
 * Shortest augmenting paths with dual variables (D. F. Crouse, "On implementing 2D rectangular assignment algorithms",
 * 2016), which is what SciPy's `linear_sum_assignment` runs. Among optimal assignments of equal cost it picks the
 * same one as SciPy: columns are scanned from last to first, and a free column wins a tie.
 *
 * @param cost row-major (rows, columns)
 * @throws {RangeError} if a cost is NaN or infinite, or the length is not rows * columns
 */
export const linearSumAssignment = (cost: Float32Array | Float64Array, rows: number, columns: number): Assignment => {
  if (cost.length !== rows * columns) {
    throw new RangeError(`cost has ${cost.length} values, expected ${rows} * ${columns}`);
  }
  const bad = cost.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new RangeError(`cost of row ${Math.floor(bad / columns)}, column ${bad % columns} is ${cost[bad]!}`);
  }
  if (rows <= columns) {
    return { rows: Int32Array.from({ length: rows }, (_, i) => i), columns: assignWide(cost, rows, columns) };
  }
  const transposed = new Float64Array(cost.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) transposed[j * rows + i] = cost[i * columns + j]!;
  const rowOfColumn = assignWide(transposed, columns, rows);
  const order = Int32Array.from(rowOfColumn.keys()).sort((a, b) => rowOfColumn[a]! - rowOfColumn[b]!);
  return { rows: order.map((column) => rowOfColumn[column]!), columns: order };
};

/** Column of every row, for rows <= columns. */
const assignWide = (cost: Float32Array | Float64Array, rows: number, columns: number): Int32Array => {
  const rowDual = new Float64Array(rows);
  const columnDual = new Float64Array(columns);
  const columnOf = new Int32Array(rows).fill(-1);
  const rowOf = new Int32Array(columns).fill(-1);
  const distance = new Float64Array(columns);
  const previousRow = new Int32Array(columns);
  const open = new Int32Array(columns); // columns not settled by the search, in [0, openCount)
  const visitedRows = new Int32Array(rows);

  for (let start = 0; start < rows; start++) {
    distance.fill(Infinity);
    for (let k = 0; k < columns; k++) open[k] = columns - 1 - k;
    let openCount = columns;
    let visitedCount = 0;
    let reached = 0; // length of the shortest path so far
    let row = start;
    let sink = -1;
    while (sink < 0) {
      visitedRows[visitedCount++] = row;
      let nearest = -1;
      let lowest = Infinity;
      const offset = row * columns;
      const dual = rowDual[row]!;
      for (let k = 0; k < openCount; k++) {
        const column = open[k]!;
        const through = reached + cost[offset + column]! - dual - columnDual[column]!; // SciPy's order of rounding
        if (through < distance[column]!) {
          distance[column] = through;
          previousRow[column] = row;
        }
        const length = distance[column]!;
        if (length < lowest || (length === lowest && rowOf[column] === -1)) {
          lowest = length;
          nearest = k;
        }
      }
      reached = lowest;
      const column = open[nearest]!;
      open[nearest] = open[--openCount]!;
      open[openCount] = column; // settled columns are kept after the open ones
      if (rowOf[column] === -1) sink = column;
      else row = rowOf[column]!;
    }

    rowDual[start]! += reached;
    for (let k = 1; k < visitedCount; k++) {
      const visited = visitedRows[k]!;
      rowDual[visited]! += reached - distance[columnOf[visited]!]!;
    }
    for (let k = openCount; k < columns; k++) {
      const settled = open[k]!;
      columnDual[settled]! -= reached - distance[settled]!;
    }
    for (let column = sink, current = -1; current !== start;) {
      current = previousRow[column]!;
      rowOf[column] = current;
      const next = columnOf[current]!;
      columnOf[current] = column;
      column = next;
    }
  }
  return columnOf;
};
