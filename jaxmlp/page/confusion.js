// What is taken for what: how often, and the images behind each kind of mistake.

const MOST_CLASSES = 20;

/** The classes, or of very many those with the most mistakes. */
function confusedClasses(counts) {
  const classes = [...counts.keys()];
  if (classes.length <= MOST_CLASSES) return classes;
  const mistakes = classes.map(
    (i) => sumOf(counts[i]) + sumOf(counts.map((row) => row[i])) - 2 * counts[i][i],
  );
  return classes
    .sort((a, b) => mistakes[b] - mistakes[a])
    .slice(0, MOST_CLASSES)
    .sort((a, b) => a - b);
}

/** [class, the class that it is most often taken for]; null where nothing is. */
function commonMistake({ confusion }) {
  const pairs = confusion.flatMap((row, i) => row.map((count, j) => ({ i, j, count: i === j ? 0 : count })));
  const worst = pairs.reduce((a, b) => (b.count > a.count ? b : a));
  return worst.count ? [worst.i, worst.j] : null;
}

/** The mistakes of one kind: in words, and as images to click. */
function mistakesOf(page, label, taken) {
  const { mistakes, confusion } = page.examples;
  const names = page.model.class_names;
  const places = [...mistakes.labels.keys()].filter(
    (place) => mistakes.labels[place] === label && mistakes.predicted[place] === taken,
  );
  const count = confusion[label][taken];
  const here = ["none is here", "the surest is here"][places.length] ?? `the surest ${places.length} are here`;
  const shown = places.length < count ? `; ${here}` : "";
  const text = `${names[label]} taken for ${names[taken]}: ${count} of ${sumOf(confusion[label])}${shown}.`;
  return [element("p", {}, text), exampleGroup(page, mistakes, places)];
}

function confusionCell(page, label, taken, most, open) {
  const count = page.examples.confusion[label][taken];
  if (label === taken) return element("td", { class: "right" }, count);
  if (!count) return element("td");
  const names = page.model.class_names;
  const about = `${names[label]} taken for ${names[taken]}: ${count}`;
  const more = { "aria-label": about, title: about, style: `--share:${count / most}` };
  return element(
    "td",
    {},
    button(count, () => open(label, taken), more),
  );
}

/** The section of all mistakes; "" where the data set was not at hand. */
function makeConfusion(page) {
  if (!page.examples) return "";
  const names = page.model.class_names;
  const classes = confusedClasses(page.examples.confusion);
  const opened = element("div", { role: "status" });
  const most = highest(page.examples.confusion.flatMap((row, i) => row.filter((_, j) => i !== j)));
  const open = (label, taken) => opened.replaceChildren(...mistakesOf(page, label, taken));
  const head = classes.map((taken) => element("th", { scope: "col" }, names[taken]));
  const rows = classes.map((label) => {
    const cells = classes.map((taken) => confusionCell(page, label, taken, most, open));
    return element("tr", {}, element("th", { scope: "row" }, names[label]), ...cells);
  });
  const part =
    classes.length < names.length ? ` Shown are the ${classes.length} classes with most mistakes.` : "";
  const text = `Of all ${triedOn(page.examples)}: a row for what an image is, a column for what it is taken for. Press a mistake to see its images.${part}`;
  const table = element("table", { class: "confusion" }, element("tr", {}, element("td"), ...head), ...rows);
  const about = element("p", { class: "muted" }, text);
  const title = element("h2", {}, "What it mistakes for what");
  return element(
    "section",
    { class: "wide" },
    title,
    about,
    element("div", { class: "across" }, table),
    opened,
  );
}
