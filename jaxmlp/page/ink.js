// The ink of a picture, of a drawing or of a photograph: what jaxmlp.data.ink finds, in the same words.

const WORKING_SIDE = 512;
const [BLANK, FAINT, SPECK, EVEN] = [0.05, 0.1, 0.01, 1.5 / 255];
const [STROKE, GRAIN] = [0.2, 0.01];
const [PALEST, DARKEST_LINE, PIECE] = [0.3, 0.6, 0.05];
const [TALL, OVERLAP] = [0.5, 0.2];
const SEVERAL = "Several drawings seem to stand side by side, and are read as one; draw or cut out one of them. ";

/** The picture in grey, from 0 to 1, at the size at which ink is looked for. */
function greyOn(pixels, paper) {
  const share = Math.min(1, WORKING_SIDE / Math.max(pixels.width, pixels.height));
  const size = [pixels.width, pixels.height].map((side) => Math.max(1, roundEven(share * side)));
  const shrunk = (plane) => (share < 1 ? resize(plane, ...size, "box", undefined, toByte) : plane);
  const [red, green, blue] = channelsOn(pixels, paper).map((plane) => shrunk(plane).values);
  const values = red.map((_, i) => (red[i] * 19595 + green[i] * 38470 + blue[i] * 7471 + 32768) >> 16);
  return { width: size[0], height: size[1], values: values.map((grey) => grey / 255) };
}

/** The values of the first and last row and column; those of the corners stand in both. */
function borderOf({ width, height, values }) {
  const border = [...values.subarray(0, width), ...values.subarray((height - 1) * width)];
  for (let row = 0; row < height; row++) border.push(values[row * width], values[(row + 1) * width - 1]);
  return border;
}

function drawn(grey) {
  const { values } = grey;
  const border = borderOf(grey);
  const paper = median(border);
  const low = lowest(values);
  const high = highest(values);
  const isLight = paper > (low + high) / 2;
  const ink = values.map((x) => Math.max(isLight ? paper - x : x - paper, 0));
  const most = highest(ink);
  // An even slope of light reaches three times the border's median deviation.
  const spread = (3 * median(border.map((x) => Math.abs(x - paper)))) / (high - low);
  const least = Math.min(Math.max(spread, FAINT), 0.5);
  const shares = ink.map((x) => (x / most < least ? 0 : x / most));
  return withoutSmall({ ...grey, values: shares }, SPECK);
}

/** The places of each separate piece of ink. */
function piecesOf({ width, height, values }) {
  const seen = new Uint8Array(values.length);
  const pieces = [];
  values.forEach((ink, start) => {
    if (!ink || seen[start]) return;
    const piece = [start];
    seen[start] = 1;
    for (let next = 0; next < piece.length; next++) {
      const row = Math.floor(piece[next] / width);
      const column = piece[next] % width;
      for (let y = Math.max(row - 1, 0); y <= Math.min(row + 1, height - 1); y++) {
        for (let x = Math.max(column - 1, 0); x <= Math.min(column + 1, width - 1); x++) {
          const place = y * width + x;
          if (!values[place] || seen[place]) continue;
          seen[place] = 1;
          piece.push(place);
        }
      }
    }
    pieces.push(piece);
  });
  return pieces;
}

/** The ink of pieces with at least this share of the largest one's, of those that count. */
function withoutSmall(ink, share, counts = () => true) {
  const pieces = piecesOf(ink);
  const values = new Float64Array(ink.values.length);
  const massOf = (piece) => sumOf(piece.map((place) => ink.values[place]));
  const all = pieces.map(massOf);
  const free = all.map((mass, i) => (counts(pieces[i]) ? mass : 0));
  const masses = highest(free) > FAINT * highest(all) ? free : all;
  const most = highest(masses);
  pieces.forEach((piece, i) => {
    if (masses[i] >= share * most) piece.forEach((place) => (values[place] = ink.values[place]));
  });
  return { ...ink, values };
}

// ---- Photographs

const odd = (length) => Math.floor(length) | 1;

/** What `change` makes of each row, and then of each column. */
const overBoth = (plane, change) => transpose(change(transpose(change(plane))));

/** The mean of the `size` places around each one of a row, which is mirrored at its ends. */
function meanRows({ width, height, values }, size) {
  const out = new Float64Array(values.length);
  const sources = Int32Array.from({ length: width + size }, (_, i) => {
    const place = (((i - (size >> 1)) % (2 * width)) + 2 * width) % (2 * width);
    return Math.min(place, 2 * width - 1 - place);
  });
  for (let start = 0; start < values.length; start += width) {
    let sum = 0;
    for (let i = 0; i < size; i++) sum += values[start + sources[i]];
    for (let column = 0; column < width; column++) {
      out[start + column] = sum / size;
      sum += values[start + sources[column + size]] - values[start + sources[column]];
    }
  }
  return { width, height, values: out };
}

/** The highest of the `size` places around each one of a row. */
function highestRows({ width, height, values }, size) {
  const out = new Float64Array(values.length);
  for (let start = 0; start < values.length; start += width) {
    const line = new Float64Array(width + size - 1).fill(-Infinity);
    line.set(values.subarray(start, start + width), size >> 1);
    // The highest of 1, 2, 4, … places from each one on.
    for (let span = 1, step = 1; span < size; span += step) {
      step = Math.min(span, size - span);
      for (let i = 0; i + step < line.length; i++) line[i] = Math.max(line[i], line[i + step]);
    }
    out.set(line.subarray(0, width), start);
  }
  return { width, height, values: out };
}

const mapValues = (plane, change) => ({ ...plane, values: plane.values.map(change) });
const meanAround = (plane, size) => overBoth(plane, (rows) => meanRows(rows, size));
const highestAround = (plane, size) => overBoth(plane, (rows) => highestRows(rows, size));
const negative = (plane) => mapValues(plane, (x) => -x);

/** The plane with what is dark and narrower than `size` filled. */
const closing = (plane, size) => negative(highestAround(negative(highestAround(plane, size)), size));

function photographed(picture) {
  const side = Math.max(picture.width, picture.height);
  const size = odd(STROKE * side);
  let grey = meanAround(picture, odd(GRAIN * side));
  const around = meanAround(grey, size).values;
  // Strokes are narrow, so that they lie far on one side of their surroundings; light lies on both.
  if (grey.values.reduce((sum, x, i) => sum + (x - around[i]) ** 3, 0) > 0) grey = mapValues(grey, (x) => 1 - x);
  const paper = closing(grey, size).values;
  const ink = mapValues(grey, (x, i) => 1 - x / Math.max(paper[i], BLANK));
  const most = highest(ink.values);
  const shares = mapValues(ink, (x) => x / most);
  const printed = 1.25 * quantile(borderOf(shares), 0.98);
  const least = Math.min(Math.max(printed, PALEST), DARKEST_LINE);
  const { width, height } = picture;
  const isInside = (place) => place >= width && place < width * (height - 1) && (place + 1) % width > 1;
  return withoutSmall(
    mapValues(shares, (x) => (x < least ? 0 : x)),
    PIECE,
    (piece) => piece.every(isInside),
  );
}

function isEven(grey) {
  const border = borderOf(grey);
  const paper = median(border);
  const away = border.map((x) => Math.abs(x - paper));
  const range = highest(grey.values) - lowest(grey.values);
  return median(away) <= EVEN || quantile(away, 0.98) < FAINT * range;
}

/** How much ink lies where, from 0 to 1; null where the picture is blank. */
function findInk(pixels) {
  for (const paper of [255, 0]) {
    const grey = greyOn(pixels, paper);
    if (highest(grey.values) - lowest(grey.values) >= BLANK) return (isEven(grey) ? drawn : photographed)(grey);
  }
  return null;
}

/** Whether the ink has separate pieces side by side, each at least half as high as all of it. */
function seemsSeveral(ink) {
  const [, top, , bottom] = inkBox(ink);
  const boxes = piecesOf(ink).map((piece) => {
    const columns = piece.map((place) => place % ink.width);
    const rows = piece.map((place) => Math.floor(place / ink.width));
    return { left: lowest(columns), right: highest(columns) + 1, height: highest(rows) - lowest(rows) + 1 };
  });
  const tall = boxes.filter(({ height }) => height >= TALL * (bottom - top));
  const widthOf = ({ left, right }) => right - left;
  const shared = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left);
  return tall.some((a, i) =>
    tall.slice(i + 1).some((b) => shared(a, b) <= OVERLAP * Math.min(widthOf(a), widthOf(b))),
  );
}
