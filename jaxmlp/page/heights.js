// The plane of two columns on a canvas: heights as colours, and lines.

const PLANE_SIDE = 600;

/** A canvas for it, with what it shows for those who cannot see it. */
const makeMap = (label) =>
  element("canvas", { width: PLANE_SIDE, height: PLANE_SIDE, role: "img", "aria-label": label });

const flipped = (size, place) => (size - 1 - Math.floor(place / size)) * size + (place % size);

function drawHeights(context, { size, shown }, colourOf) {
  const small = element("canvas");
  const step = PLANE_SIDE / (size - 1);
  paint(small, size, size, (place) => colourOf(shown[flipped(size, place)]));
  context.imageSmoothingEnabled = true;
  context.drawImage(small, -step / 2, -step / 2, PLANE_SIDE + step, PLANE_SIDE + step);
}

function drawLine(context, segments, colour, width) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.lineCap = "round";
  context.beginPath();
  for (const [[x, y], [u, v]] of segments) {
    context.moveTo(x * PLANE_SIDE, (1 - y) * PLANE_SIDE);
    context.lineTo(u * PLANE_SIDE, (1 - v) * PLANE_SIDE);
  }
  context.stroke();
}

/** Whether the first layer's neurons are so few that all their lines can be told apart. */
function hasLines(page) {
  const [first, ...others] = page.dense();
  return others.length > 0 && first.outputs <= MOST_LINES;
}

function drawNeuronLines(context, page, { network, size, layers }) {
  const shown = hasLines(page) ? layers[0].sums : [];
  shown.forEach((sums, unit) => {
    if (!page.isOff(0, unit)) drawLine(context, contour(sums, size, 0), css(COLOURS.ink, 0.35), 1.5);
  });
  // What was drawn last may be the map of another network.
  if (layers.length < 2 || network !== page.network) return;
  const { layer, unit } = page.pointed;
  if (page.isOff(layer, unit)) return;
  context.setLineDash([10, 8]);
  drawLine(context, contour(layers[layer].sums[unit], size, 0), css(COLOURS.ink), 3);
  context.setLineDash([]);
}

/** A value's colour between the lowest and the highest of the plane. */
function heightColour(values) {
  const low = lowest(values);
  const high = highest(values);
  const span = high - low || 1;
  return (value) => diverging((2 * (value - low)) / span - 1);
}

function drawAnswers(context, page, answers) {
  if (page.model.head !== "regression") {
    drawHeights(context, answers, (share) => diverging(2 * share - 1));
    const line = contour(answers.leads, answers.size, 0);
    drawLine(context, line, css(COLOURS.paper), 7);
    drawLine(context, line, css(COLOURS.ink), 4);
    return;
  }
  drawHeights(context, answers, heightColour(answers.shown));
  const low = lowest(answers.shown);
  const span = highest(answers.shown) - low;
  for (const share of [1, 2, 3, 4, 5]) {
    drawLine(
      context,
      contour(answers.shown, answers.size, low + (share / 6) * span),
      css(COLOURS.ink),
      share === 3 ? 3 : 1.2,
    );
  }
}

/** A neuron's value over the plane, small. */
function paintTrace(canvas, { size, layers }, layer, unit) {
  const values = layers[layer].values[unit];
  const most = largest(values) || 1;
  paint(canvas, size, size, (place) => diverging(values[flipped(size, place)] / most));
}

/** The section of what is known to be true over the same plane; "" where nothing is. */
function makeTruth(page, truth) {
  if (!truth) return "";
  const canvas = makeMap("What is true everywhere in the square of two columns");
  const draw = () =>
    drawAnswers(canvas.getContext("2d"), page, { ...truth, leads: truth.shown.map((x) => 2 * x - 1) });
  page.onColours(draw);
  // After the first answer.
  setTimeout(draw);
  const title = element("h2", {}, "The known truth");
  const made = page.model.head === "regression" ? "values" : "probabilities";
  const text = `By these ${made} the data were made: nothing that learns from them can know more.`;
  const [across, up] = [false, true].map((isUp) => axisOf(page, isUp ? 1 : 0, [], null, isUp));
  const map = element("div", { class: "map" }, canvas);
  const frame = element("div", { class: "frame" }, ...framed(map, across, up));
  return element("section", {}, title, element("p", { class: "muted" }, text), frame);
}
