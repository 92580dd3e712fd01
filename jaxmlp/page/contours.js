// Lines of one height through a square of numbers.

/** Where between two corners the height is `level`, as a share of the way. */
const crossing = (a, b, level) => (level - a) / (b - a);

/**
 * Segments [[x, y], [x, y]] from 0 to 1 of the line at `level` through values [size × size], row by row from y = 0
 * (marching squares: of each cell, the edges that the line crosses, joined).
 */
function contour(values, size, level) {
  const segments = [];
  const step = 1 / (size - 1);
  for (let row = 0; row < size - 1; row++) {
    for (let column = 0; column < size - 1; column++) {
      const start = row * size + column;
      const corners = [values[start], values[start + 1], values[start + size + 1], values[start + size]];
      const places = [
          [0, 0],
          [1, 0],
          [1, 1],
          [0, 1],
        ],
        crossed = [];
      corners.forEach((a, i) => {
        const b = corners[(i + 1) % 4];
        const [from, to] = [places[i], places[(i + 1) % 4]];
        if (a < level === b < level) return;
        const share = crossing(a, b, level);
        crossed.push([0, 1].map((k) => ((k ? row : column) + from[k] + share * (to[k] - from[k])) * step));
      });
      for (let i = 0; i + 1 < crossed.length; i += 2) segments.push([crossed[i], crossed[i + 1]]);
    }
  }
  return segments;
}
