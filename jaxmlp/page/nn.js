// The network: what a model says of raw values, as jaxmlp computes it, in double precision.

// ---- Numbers

const HALVES = new Float32Array(1 << 16);
for (let bits = 0; bits < HALVES.length; bits++) {
  const exponent = (bits >> 10) & 31;
  const fraction = (bits & 1023) / 1024;
  const size = exponent ? (1 + fraction) * 2 ** (exponent - 15) : fraction * 2 ** -14;
  HALVES[bits] = bits >> 15 ? -size : size;
}

/** Numbers of half precision, given by their bits. */
function widen(bits) {
  const numbers = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) numbers[i] = HALVES[bits[i]];
  return numbers;
}

const DTYPES = {
  uint8: (buffer) => new Uint8Array(buffer),
  float16: (buffer) => widen(new Uint16Array(buffer)),
  float32: (buffer) => new Float32Array(buffer),
  float64: (buffer) => new Float64Array(buffer),
};

/** What Python packed: each {dtype, data} in `packed`, wherever it is, as an array of numbers. */
function unpack(packed) {
  if (packed === null || typeof packed !== "object") return packed;
  if (packed.dtype) {
    const text = atob(packed.data);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
    return DTYPES[packed.dtype](bytes.buffer);
  }
  if (Array.isArray(packed)) return packed.map(unpack);
  return Object.fromEntries(Object.entries(packed).map(([name, value]) => [name, unpack(value)]));
}

const sumOf = (numbers) => numbers.reduce((sum, number) => sum + number, 0);

/** The size of the one that is farthest from 0. */
const largest = (numbers) => numbers.reduce((most, number) => Math.max(most, Math.abs(number)), 0);

// ---- A row of a table as numbers

const CYCLES = { day: 1, week: 7, year: 365.2425 };

/** Numbers and days since 1970 as they are, null where one is missing. */
function encodeNumber(column, value) {
  const missing = value === null || value === undefined;
  const waves = (column.cycles ?? []).flatMap((cycle) => {
    const angle = (2 * Math.PI * (value ?? 0)) / CYCLES[cycle];
    return missing ? [0, 0] : [Math.sin(angle), Math.cos(angle)];
  });
  return [missing ? column.fill : value, ...(column.gaps ? [Number(missing)] : []), ...waves];
}

function encodeCategory(column, value) {
  return column.categories.map((category) => Number(category === (value ?? "")));
}

function encodeColumn(column, value) {
  return column.kind === "category" ? encodeCategory(column, value) : encodeNumber(column, value);
}

/** The inputs of a row, a value for each of the `columns`. */
function encodeRow(columns, row) {
  return columns.flatMap((column, place) => encodeColumn(column, row[place]));
}

// ---- Preprocessing

/** How many of the ascending `knots` lie below `x`, or at most at it. */
function countBelow(knots, x, orEqual) {
  let [low, high] = [0, knots.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (knots[middle] < x || (orEqual && knots[middle] === x)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The share of training values below `x`, and half of those that equal it. */
function shareBelow(knots, x) {
  if (knots instanceof Float32Array) x = Math.fround(x);
  const last = knots.length - 1;
  const first = countBelow(knots, x, false);
  const after = countBelow(knots, x, true);
  if (after > first) return (first + after - 1) / (2 * last);
  if (first === 0 || first > last) return first ? 1 : 0;
  const [below, above] = [knots[first - 1], knots[first]];
  return (first - 1 + (x - below) / (above - below)) / last;
}

/** One number for all places, or one for each. */
const at = (part, place) => part[part.length === 1 ? 0 : place];

/** Raw values as the first layer takes them; a scale of null leaves a column out. */
function scaleInputs(model, values) {
  const { shift, scale, quantiles } = model.preprocess;
  const x = Float64Array.from(values);
  const numKnots = quantiles.knots.length / quantiles.numbers.length;
  quantiles.numbers.forEach((place, index) => {
    x[place] = shareBelow(quantiles.knots.subarray(index * numKnots, (index + 1) * numKnots), x[place]);
  });
  return x.map((value, i) => (at(scale, i) === null ? 0 : (value - at(shift, i)) / at(scale, i)));
}

// ---- Layers

const clip = (x, low, high) => Math.min(Math.max(x, low), high);
const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const elu = (x) => (x > 0 ? x : Math.expm1(x));
const hardSigmoid = (x) => clip(x + 3, 0, 6) / 6;

const ACTIVATIONS = {
  celu: elu,
  elu,
  gelu: (x) => (x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))) / 2,
  hard_sigmoid: hardSigmoid,
  hard_silu: (x) => x * hardSigmoid(x),
  hard_tanh: (x) => clip(x, -1, 1),
  identity: (x) => x,
  leaky_relu: (x) => (x >= 0 ? x : 0.01 * x),
  log_sigmoid: (x) => -softplus(-x),
  mish: (x) => x * Math.tanh(softplus(x)),
  relu: (x) => Math.max(x, 0),
  relu6: (x) => clip(x, 0, 6),
  selu: (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x)),
  sigmoid,
  silu: (x) => x * sigmoid(x),
  soft_sign: (x) => x / (1 + Math.abs(x)),
  softplus,
  squareplus: (x) => (x + Math.sqrt(x * x + 4)) / 2,
  tanh: Math.tanh,
};

/** x @ weight + bias, with the weight of each input in a row. */
function affine({ weight, bias }, x) {
  const sums = Float64Array.from(bias);
  const width = sums.length;
  for (let input = 0; input < x.length; input++) {
    if (x[input] === 0) continue; // As most pixels are.
    for (let unit = 0, place = input * width; unit < width; unit++) sums[unit] += x[input] * weight[place++];
  }
  return sums;
}

/** The inputs, then the waves of those that are numbers, mixed. */
function embed({ numbers, frequencies, phases, mixing }, x) {
  const count = frequencies.length / numbers.length;
  const width = mixing.length / frequencies.length;
  const features = new Float64Array(numbers.length * width);
  frequencies.forEach((frequency, wave) => {
    const number = Math.floor(wave / count);
    const height = Math.cos(2 * Math.PI * frequency * x[numbers[number]] + phases[wave]);
    for (let k = 0; k < width; k++) features[number * width + k] += height * mixing[wave * width + k];
  });
  return Float64Array.of(...x, ...features);
}

/**
 * Of one network, the {sums, values} of each dense layer, before and after its activation. `off` names by
 * layer the units whose value is 0; `linear` takes the identity for every activation.
 */
function forward(network, x, { off = {}, linear = false } = {}) {
  const layers = [];
  for (const layer of network.layers) {
    if (layer.kind === "periodic") {
      x = embed(layer, x);
      continue;
    }
    const sums = affine(layer, x);
    x = sums.map(ACTIVATIONS[linear ? "identity" : layer.activation]);
    for (const unit of off[layers.length] ?? []) x[unit] = 0;
    layers.push({ sums, values: x });
  }
  return layers;
}

// ---- Answers

/** Of one network, logits, or values in the targets' unit within their range. */
function networkOutputs(model, network, scaled, options) {
  const { targets, target_range: ranges } = model;
  let values = forward(network, scaled, options).at(-1).values;
  if (targets) values = values.map((x, i) => x * at(targets.scale, i) + at(targets.shift, i));
  return ranges ? values.map((x, i) => clip(x, ...ranges[i])) : values;
}

function logSoftmax(logits) {
  const highest = Math.max(...logits);
  const total = Math.log(sumOf(logits.map((logit) => Math.exp(logit - highest))));
  return Array.from(logits, (logit) => logit - highest - total);
}

/** log Σ share × e^value of several networks, for each class. */
function logMean(rows, shares) {
  return rows[0].map((_, place) => {
    const terms = rows.map((row, network) => row[place] + Math.log(shares[network]));
    const highest = Math.max(...terms);
    return highest + Math.log(sumOf(terms.map((term) => Math.exp(term - highest))));
  });
}

/**
 * What the model says of raw `values`: {members, mean}, probabilities of each class, or real values, of each
 * network and of all. `options[n]` are those of `forward` for network n.
 */
function predict(model, values, options = []) {
  const { networks, head, temperature } = model;
  const scaled = scaleInputs(model, values);
  const answers = networks.map((network, n) => networkOutputs(model, network, scaled, options[n]));
  const outputs = answers.map((values) => Array.from(values));
  const total = sumOf(networks.map(({ count }) => count));
  const shares = networks.map(({ count }) => count / total);
  if (head === "regression") {
    const mean = outputs[0].map((_, i) => sumOf(outputs.map((row, n) => shares[n] * row[i])));
    return { members: outputs, mean };
  }
  const logs = outputs.map((logits) => logSoftmax(head === "binary" ? [0, ...logits] : logits));
  const mean = logSoftmax(logMean(logs, shares).map((value) => value / temperature)).map(Math.exp);
  return { members: logs.map((row) => row.map(Math.exp)), mean };
}
