// Images of the data set to click: some of each class, and the worst mistakes.

const MOST_WORST = 12;

const LONGEST_CAPTION = 3;

/** An image to click; of a mistake also what it is `taken` for. */
function exampleButton(page, input, label, taken) {
  const canvas = element("canvas");
  const [name, other] = [label, taken].map((index) => page.model.class_names[index]);
  const caption = `${name} → ${other}`;
  const title = other === undefined ? name : `${name} taken for ${other}`;
  const isShort = other !== undefined && Math.max(name.length, other.length) <= LONGEST_CAPTION;
  paintInput(canvas, page.model, input);
  const node = button(canvas, () => page.showImage(input, name), {
    class: "example",
    title,
    // What is read aloud holds what is seen.
    "aria-label": `Example${isShort ? ` ${caption}` : ""}: ${title}`,
  });
  if (isShort) node.append(element("span", {}, caption));
  return node;
}

/** One of the images that Python packed. */
function packedButton(page, { images, labels, predicted }, place) {
  const size = images.length / labels.length;
  const input = images.subarray(place * size, (place + 1) * size);
  return exampleButton(page, input, labels[place], predicted?.[place]);
}

function exampleGroup(page, packed, places) {
  const nodes = places.map((place) => packedButton(page, packed, place));
  rove(nodes);
  return element("div", { class: "examples" }, ...nodes);
}

/** Which images its mistakes are among. */
const triedOn = ({ unseen }) =>
  unseen ? "test images" : "images of its data set, most of which it has learnt from";

/** The section of examples; "" where the data set was not at hand. */
function makeExamples(page) {
  if (!page.examples) return "";
  const { typical, mistakes, unseen } = page.examples;
  const origin = unseen ? "Test images, which it has never learnt from" : "Images of its data set";
  const node = element("section", {}, element("h2", {}, origin));
  node.append(exampleGroup(page, typical, [...typical.labels.keys()]));
  const worst = [...mistakes.labels.keys()].slice(0, MOST_WORST);
  if (worst.length) node.append(element("h2", {}, "Its worst mistakes"), exampleGroup(page, mistakes, worst));
  return node;
}
