// A control for each column of a table.

/** The model's raw inputs for a row with a value for each field. */
const toInputs = (page, row) => (page.model.columns ? encodeRow(page.model.columns, row) : row);

const told = (field, value) => (field.kind === "date" ? asDay(value) : short(value));

function numberControl(page, index) {
  const field = page.fields[index];
  const value = element("span", { class: "value" });
  const slider = element("input", {
    type: "range",
    min: 0,
    max: 1,
    step: 0.005,
    "aria-label": field.name,
    oninput: () => page.setField(index, field.low + slider.value * (field.high - field.low)),
  });
  page.watch(() => {
    slider.value = (page.row[index] - field.low) / (field.high - field.low);
    value.textContent = told(field, page.row[index]);
    slider.setAttribute("aria-valuetext", value.textContent);
  });
  return element("div", { class: "field" }, element("span", {}, `${field.name} `, value), slider);
}

function categoryControl(page, index) {
  const { name, categories, start } = page.fields[index];
  const texts = categories.map((word) => word || "(missing)");
  const choose = (chosen) => page.setField(index, categories[chosen]);
  return element("div", { class: "field" }, name, choice(name, texts, categories.indexOf(start), choose));
}

/** The section with all controls. */
function makeFields(page) {
  const controls = page.fields.map(({ kind }, i) =>
    (kind === "category" ? categoryControl : numberControl)(page, i),
  );
  return element(
    "section",
    {},
    element("h2", {}, "The example"),
    element("div", { class: "scroll" }, ...controls),
  );
}
