// Elements, colours and numbers on the screen.

/** An element with these attributes; one that starts with "on" is a listener, and texts stay texts. */
function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

/** The same of SVG. */
function graphic(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const button = (label, action, more = {}) =>
  element("button", { type: "button", onclick: action, ...more }, label);

/** A button that is pressed or not, and calls `action` with which. */
function toggle(label, action, pressed = false) {
  const node = button(label, () => {
    const now = node.getAttribute("aria-pressed") !== "true";
    node.setAttribute("aria-pressed", now);
    action(now);
  });
  node.setAttribute("aria-pressed", pressed);
  return node;
}

/** A choice among texts, which calls `action` with the number of the chosen one. */
function choice(label, options, chosen, action) {
  const node = element("select", { "aria-label": label, onchange: () => action(Number(node.value)) });
  options.forEach((text, i) => node.append(element("option", { value: i, selected: i === chosen }, text)));
  return node;
}

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Buttons in rows, of which Tab reaches the one that was last there and arrow keys the others. */
function rove(nodes) {
  const reach = (node) => nodes.forEach((one) => (one.tabIndex = one === node ? 0 : -1));
  function step(event) {
    if (!STEPS[event.key]) return;
    event.preventDefault();
    const columns = nodes.filter((node) => node.offsetTop === nodes[0].offsetTop).length;
    const [across, down] = STEPS[event.key];
    nodes[nodes.indexOf(event.currentTarget) + across + columns * down]?.focus();
  }
  for (const node of nodes) {
    node.addEventListener("focus", () => reach(node));
    node.addEventListener("keydown", step);
  }
  reach(nodes[0]);
}

// ---- Colours

const COLOURS = {};

/** The colours of the style at hand, as red, green and blue. */
function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["page", "paper", "ink", "muted", "line", "blue", "orange"]) {
    const digits = style.getPropertyValue(`--${name}`).trim().slice(1);
    COLOURS[name] = [0, 2, 4].map((start) => parseInt(digits.slice(start, start + 2), 16));
  }
}

const mix = ([r, g, b], to, share) => [
  r + (to[0] - r) * share,
  g + (to[1] - g) * share,
  b + (to[2] - b) * share,
];
const css = (colour, alpha = 1) => `rgb(${colour.map(Math.round).join(" ")} / ${alpha})`;

/** From blue at -1 by paper at 0 to orange at 1. */
function diverging(value) {
  const share = Math.min(Math.abs(value), 1);
  return mix(COLOURS.paper, value < 0 ? COLOURS.blue : COLOURS.orange, share);
}

/** Each place of the canvas in its colour. */
function paint(canvas, width, height, colourOf) {
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  for (let place = 0; place < width * height; place++) {
    const [red, green, blue] = colourOf(place);
    image.data[4 * place] = red;
    image.data[4 * place + 1] = green;
    image.data[4 * place + 2] = blue;
    image.data[4 * place + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** Raw values of an image as dark ink on light paper, or in its own colours. */
function paintInput(canvas, model, values) {
  const [height, width, channels = 1] = model.input_shape;
  const { shift, scale } = model.preprocess;
  const byte = (i) => 255 * Math.min(Math.max((values[i] - at(shift, i)) / at(scale, i), 0), 1);
  paint(canvas, width, height, (place) =>
    channels === 3 ? [0, 1, 2].map((c) => byte(3 * place + c)) : Array(3).fill(255 - byte(place)),
  );
}

// ---- Numbers

/** In percent; never 0 or 100 for what is not. */
function percent(share) {
  if (share > 0 && share < 5e-4) return "<0.1 %";
  return share < 1 && share >= 0.9995 ? ">99.9 %" : `${(100 * share).toFixed(1)} %`;
}

// Made once, since that takes longer than to format a hundred numbers.
const WITH_COMMAS = new Intl.NumberFormat("en", { maximumFractionDigits: 17 });

/** In four digits, or as many as show two of a `step`. */
function short(number, step = 0) {
  const size = Math.abs(number);
  if (size >= 1e9 || (size < 1e-3 && number !== 0)) return number.toExponential(2);
  const places = step > 0 && size > 0 ? Math.floor(Math.log10(size)) - Math.floor(Math.log10(step)) + 2 : 0;
  return WITH_COMMAS.format(Number(number.toPrecision(clip(places, 4, 15))));
}

// Letters that run from right to left, and signs that turn what follows.
const TURNING = /[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefc]/;

/** A name from data, which turns nothing around it. */
const isolate = (name) => (TURNING.test(name) ? `\u2068${name}\u2069` : name);

const asDay = (days) => {
  const time = new Date(days * 864e5);
  return Number.isNaN(time.valueOf()) ? short(days) : time.toISOString().slice(0, 10);
};
