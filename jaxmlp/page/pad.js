// The sheet to draw on: pen, eraser, undo, clear, a picture dropped on it, and a pen moved by keys.

const PAD_SIDE = 280;
const PEN = 20;
const KEY_STEP = 8;

/** {node, show}: the sheet with its tools; `changed` is called with raw inputs, null where it is
 * blank, their label if there is one, and a remark. */
function makePad(page, changed) {
  const [rows, columns] = page.model.input_shape;
  const width = PAD_SIDE;
  const height = Math.round((PAD_SIDE * rows) / columns);
  const label =
    "A sheet to draw on. With arrow keys the pen moves, with the space bar it is lowered and lifted.";
  const canvas = element("canvas", {
    class: "pad",
    width,
    height,
    tabindex: 0,
    role: "img",
    "aria-label": label,
  });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  let history = [];
  let stroke = null;
  let erasing = false;
  let waiting = false;
  let pen = [width / 2, height / 2];

  function draw(item) {
    if (item.picture) {
      context.imageSmoothingEnabled = item.smooth;
      const scale = Math.min(width / item.picture.width, height / item.picture.height);
      const [wide, high] = [item.picture.width * scale, item.picture.height * scale];
      context.fillRect(0, 0, width, height);
      context.drawImage(item.picture, (width - wide) / 2, (height - high) / 2, wide, high);
      return;
    }
    context.strokeStyle = item.erase ? "#fff" : "#000";
    context.lineWidth = item.erase ? 2 * PEN : PEN;
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    // A line of no length is a point of the round pen.
    [item.points[0], ...item.points].forEach((point, i) =>
      i ? context.lineTo(...point) : context.moveTo(...point),
    );
    context.stroke();
  }

  function redraw() {
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, height);
    history.forEach(draw);
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      const { inputs, remark } = read();
      changed(inputs, history.at(-1)?.truth, remark);
    });
  }

  /** {inputs, remark}: what was shown last as it is; what was drawn, by way of the sheet. */
  function read() {
    const last = history.at(-1);
    if (!last || last.input) return { inputs: last?.input ?? null, remark: "" };
    return readPicture(page.model, last.pixels ?? context.getImageData(0, 0, width, height));
  }

  function add(item) {
    history.push(item);
    redraw();
  }

  function place(event) {
    const box = canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.left) * width) / box.width,
      ((event.clientY - box.top) * height) / box.height,
    ];
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button > 0 && event.button !== 5) return;
    canvas.setPointerCapture(event.pointerId);
    stroke = { id: event.pointerId, erase: erasing || event.button === 5, points: [place(event)] };
    add(stroke);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (stroke?.id !== event.pointerId) return;
    const events = event.getCoalescedEvents?.() ?? [];
    stroke.points.push(...(events.length ? events : [event]).map(place));
    redraw();
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (stroke = null));

  canvas.addEventListener("keydown", (event) => {
    if (event.key === " ") {
      stroke = stroke ? null : { erase: erasing, points: [[...pen]] };
      if (stroke) add(stroke);
    } else if (STEPS[event.key]) {
      pen = pen.map((x, i) => Math.min(Math.max(x + KEY_STEP * STEPS[event.key][i], 0), [width, height][i]));
      stroke?.points.push([...pen]);
      redraw();
      context.fillStyle = "#888";
      if (!stroke) context.fillRect(pen[0] - 3, pen[1] - 3, 6, 6);
    } else return;
    event.preventDefault();
  });

  async function drop(file) {
    try {
      const picture = await createImageBitmap(file);
      const copy = new OffscreenCanvas(picture.width, picture.height);
      const own = copy.getContext("2d");
      own.drawImage(picture, 0, 0);
      add({ picture, smooth: true, pixels: own.getImageData(0, 0, picture.width, picture.height) });
    } catch {
      page.tell("This file cannot be read as a picture; give a PNG or a JPEG.");
    }
  }

  const file = element("input", {
    type: "file",
    accept: "image/*",
    hidden: true,
    onchange: () => {
      drop(file.files[0]);
      // The same picture again is a change, too.
      file.value = "";
    },
  });
  const eraser = toggle("Eraser", (on) => (erasing = on));
  const undo = () => (history.pop(), redraw());
  const clear = () => ((history = []), redraw());
  const tools = [
    eraser,
    button("Undo", undo),
    button("Clear", clear),
    button("Picture…", () => file.click()),
    file,
  ];
  const node = element(
    "div",
    {},
    element("div", { class: "sheet" }, canvas),
    element("div", { class: "row" }, ...tools),
  );
  node.addEventListener("dragover", (event) => event.preventDefault());
  node.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) drop(event.dataTransfer.files[0]);
  });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);

  /** An image of the data set, whose own values the network gets until something is drawn on it. */
  function show(input, truth) {
    const picture = element("canvas");
    paintInput(picture, page.model, input);
    history = [];
    add({ picture, smooth: false, input, truth });
  }

  return { node, show };
}
