// A drawing or a photograph as the network knows them: what jaxmlp predict makes of it.

const FILTERS = {
  box: { support: 0.5, weigh: (x) => Number(x > -0.5 && x <= 0.5) },
  bilinear: { support: 1, weigh: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: {
    support: 2,
    weigh: (x, r = Math.abs(x)) =>
      r < 1 ? (1.5 * r - 2.5) * r * r + 1 : r < 2 ? -0.5 * (((r - 5) * r + 8) * r - 4) : 0,
  },
};

/** As Python rounds: halves to the even neighbour. */
function roundEven(x) {
  const rounded = Math.round(x);
  return Math.abs(x % 1) === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

/** The value below which this share of all lies, between two of them where need be. */
function quantile(values, share) {
  const sorted = Float64Array.from(values).sort();
  const place = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  return below + (above - below) * (place % 1);
}

const median = (values) => quantile(values, 0.5);

// By places, since to iterate over the pixels of a sheet takes milliseconds.
function lowest(values) {
  let least = Infinity;
  for (let i = 0; i < values.length; i++) if (values[i] < least) least = values[i];
  return least;
}

function highest(values) {
  let most = -Infinity;
  for (let i = 0; i < values.length; i++) if (values[i] > most) most = values[i];
  return most;
}

// ---- Planes: {width, height, values}, row by row

/** Of a line of `size` places between `start` and `end`, what each of `count` new ones takes from where. */
function filterWeights(size, count, { support, weigh }, [start, end]) {
  const step = (end - start) / count;
  const spread = Math.max(step, 1);
  return Array.from({ length: count }, (_, place) => {
    const centre = start + (place + 0.5) * step;
    const first = Math.max(0, Math.trunc(centre - support * spread + 0.5));
    const after = Math.min(size, Math.trunc(centre + support * spread + 0.5));
    const raw = Array.from({ length: after - first }, (_, i) => weigh((i + first - centre + 0.5) / spread));
    const total = sumOf(raw);
    return { first, weights: raw.map((weight) => weight / total) };
  });
}

/** The plane with `count` columns, between the two ends of each row. */
function resizeRows({ width, height, values }, count, filter, ends) {
  const sources = filterWeights(width, count, filter, ends);
  const out = new Float64Array(count * height);
  for (let row = 0; row < height; row++) {
    sources.forEach(({ first, weights }, column) => {
      let sum = 0;
      weights.forEach((weight, i) => (sum += weight * values[row * width + first + i]));
      out[row * count + column] = sum;
    });
  }
  return { width: count, height, values: out };
}

function transpose({ width, height, values }) {
  const out = values.map((_, place) => values[(place % height) * width + Math.floor(place / height)]);
  return { width: height, height: width, values: out };
}

/** The plane in another size, of the part in `box` = [left, top, right, bottom]. */
function resize(plane, width, height, filter, box = [0, 0, plane.width, plane.height], finish = (x) => x) {
  const after = ({ values, ...size }) => ({ ...size, values: values.map(finish) });
  const wide = after(resizeRows(plane, width, FILTERS[filter], [box[0], box[2]]));
  return transpose(after(resizeRows(transpose(wide), height, FILTERS[filter], [box[1], box[3]])));
}

const toByte = (x) => Math.min(Math.max(Math.round(x), 0), 255);

/** Red, green and blue of pixels {width, height, data} as a canvas has them, on paper of this brightness. */
function channelsOn({ width, height, data }, paper) {
  return [0, 1, 2].map((channel) => {
    const values = new Float64Array(width * height);
    for (let place = 0; place < values.length; place++) {
      const share = data[4 * place + 3] / 255;
      values[place] = (share * data[4 * place + channel] + (1 - share) * paper + 0.5) | 0;
    }
    return { width, height, values };
  });
}

// ---- The network's input

/** [left, top, right, bottom] of the smallest box around all ink. */
function inkBox({ width, values }) {
  let [left, top, right, bottom] = [Infinity, Infinity, 0, 0];
  values.forEach((ink, place) => {
    if (!ink) return;
    const row = Math.floor(place / width);
    const column = place % width;
    left = Math.min(left, column);
    right = Math.max(right, column + 1);
    top = Math.min(top, row);
    bottom = Math.max(bottom, row + 1);
  });
  return [left, top, right, bottom];
}

function cut({ width, values }, [left, top, right, bottom]) {
  const rows = Array.from({ length: bottom - top }, (_, row) => (top + row) * width);
  const lines = rows.flatMap((start) => Array.from(values.subarray(start + left, start + right)));
  return { width: right - left, height: bottom - top, values: Float64Array.from(lines) };
}

/** Where a line of ink starts for its centre of mass to lie in the middle of `side`. */
function startOf(masses, side) {
  const centre = sumOf(masses.map((mass, place) => mass * (place + 0.5))) / sumOf(masses);
  return Math.min(Math.max(roundEven(side / 2 - centre), 0), side - masses.length);
}

function sumRows({ width, height, values }) {
  return Array.from({ length: height }, (_, row) => sumOf(values.subarray(row * width, (row + 1) * width)));
}

/** The ink on a canvas of this size: its box fills `extent`, its centre of mass lies in the middle. */
function centerDrawing(ink, height, width, extent) {
  const box = cut(ink, inkBox(ink));
  const out = new Float64Array(height * width);
  const scale = Math.min((extent * height) / box.height, (extent * width) / box.width);
  const sides = [box.width, box.height].map((side) => Math.max(1, roundEven(scale * side)));
  const small = resize(box, ...sides, "bilinear");
  const most = highest(small.values);
  const top = startOf(sumRows(small), height);
  const left = startOf(sumRows(transpose(small)), width);
  small.values.forEach((x, place) => {
    const row = Math.floor(place / small.width);
    const column = place % small.width;
    out[(top + row) * width + left + column] = x / most;
  });
  return out;
}

/** The middle of a coloured picture, shrunk to fit. */
function fitColours(pixels, height, width) {
  const wide = Math.min(pixels.width, (pixels.height * width) / height);
  const high = Math.min(pixels.height, (pixels.width * height) / width);
  const [left, top] = [(pixels.width - wide) / 2, (pixels.height - high) / 2];
  const box = [left, top, left + wide, top + high];
  const fitted = channelsOn(pixels, 255).map(
    (plane) => resize(plane, width, height, "bicubic", box, toByte).values,
  );
  return Float64Array.from({ length: 3 * height * width }, (_, i) => fitted[i % 3][Math.floor(i / 3)] / 255);
}

const isColoured = ({ input_shape: shape }) => shape[2] === 3;

/** Pixels as raw inputs of the model, from its paper to its ink; null where they are blank. */
function toNetworkInput(model, pixels, ink = isColoured(model) ? null : findInk(pixels)) {
  const [height, width, channels = 1] = model.input_shape;
  const { shift, scale } = model.preprocess;
  if (channels !== 3 && !ink) return null;
  const values =
    channels === 3
      ? fitColours(pixels, height, width)
      : centerDrawing(ink, height, width, model.drawing_extent ?? 20 / 28);
  return values.map((x, i) => at(shift, i) + at(scale, i) * x);
}

/** {inputs, remark}: pixels as the model's raw inputs, and what to know of its answer. */
function readPicture(model, pixels) {
  const ink = isColoured(model) ? null : findInk(pixels);
  return { inputs: toNetworkInput(model, pixels, ink), remark: ink && seemsSeveral(ink) ? SEVERAL : "" };
}
