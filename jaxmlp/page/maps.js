// What a model and its neurons say everywhere in the plane of two columns.

/** The row with its values on the two axes at these shares of the way from low to high. */
function rowAt(page, axes, shares) {
  const row = [...page.row];
  axes.forEach((index, i) => {
    const { low, high } = page.fields[index];
    row[index] = low + shares[i] * (high - low);
  });
  return row;
}

/** Calls `take(inputs, place)` for each of size × size places, row by row from below. */
function sweepPlane(page, axes, size, take) {
  for (let place = 0; place < size * size; place++) {
    const shares = [place % size, Math.floor(place / size)].map((k) => k / (size - 1));
    take(toInputs(page, rowAt(page, axes, shares)), place);
  }
}

function numProducts({ networks }) {
  const sizes = networks.flatMap(({ layers }) =>
    layers.map((layer) => layer.weight?.length ?? layer.mixing.length),
  );
  return sumOf(sizes) + 50 * networks.length;
}

/** [size × size] The probability of a class and by how much it leads, or the value. */
function answersIn(page, axes, size, label) {
  const shown = new Float64Array(size * size);
  const leads = new Float64Array(size * size);
  sweepPlane(page, axes, size, (inputs, place) => {
    const { mean } = predict(page.model, inputs, page.options);
    shown[place] = mean[label];
    leads[place] = mean[label] - Math.max(...mean.filter((_, other) => other !== label));
  });
  return { size, shown, leads };
}

/** Of each layer of the chosen network, the sums and values of each neuron over the plane. */
function tracesIn(page, axes, size) {
  const { network, model } = page;
  const traces = page.dense().map(({ outputs }) => {
    const make = () => Array.from({ length: outputs }, () => new Float64Array(size * size));
    return { sums: make(), values: make() };
  });
  sweepPlane(page, axes, size, (inputs, place) => {
    const layers = forward(model.networks[network], scaleInputs(model, inputs), page.options[network]);
    layers.forEach(({ sums, values }, layer) => {
      sums.forEach((sum, unit) => (traces[layer].sums[unit][place] = sum));
      values.forEach((value, unit) => (traces[layer].values[unit][place] = value));
    });
  });
  return { network, size, layers: traces };
}
