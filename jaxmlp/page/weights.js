// The weights of a neuron of the first layer, to drag: those of the plane's two columns, and its bias.

/** Of a column, the place of its number among the inputs. */
function inputPlace({ model, row }, index) {
  return model.columns ? encodeRow(model.columns.slice(0, index), row).length : index;
}

/** How far each slider reaches on both sides of 0: twice as far as any of the layer's given numbers. */
function weightReach(page) {
  const { weight, bias } = page.given[page.network].layers.find(({ kind }) => kind === "dense");
  return 2 * Math.max(highest(weight.map(Math.abs)), highest(bias.map(Math.abs)), 0.5);
}

/** {node, update}: a slider for one number of the pointed-at neuron. */
function weightSlider(page, nameOf, tensor, placeOf) {
  const name = element("span");
  const value = element("span", { class: "value" });
  const place = () => placeOf(page.pointed.unit, page.dense()[0].outputs);
  const slider = element("input", {
    type: "range",
    step: "any",
    oninput: () => page.setWeight(0, tensor, place(), Number(slider.value)),
  });
  function update() {
    const number = page.dense()[0][tensor][place()];
    const reach = weightReach(page);
    [slider.min, slider.max, slider.value] = [-reach, reach, number];
    name.textContent = `${nameOf()} `;
    value.textContent = short(number);
    slider.setAttribute("aria-label", nameOf());
    slider.setAttribute("aria-valuetext", value.textContent);
  }
  return { node: element("div", { class: "field" }, element("span", {}, name, value), slider), update };
}

/** {node, update}: the sliders, and a button that takes all changes back. */
function makeWeights(page) {
  const columns = page.axes ? [0, 1] : [];
  const sliders = columns.map((i) =>
    weightSlider(
      page,
      () => `Weight of ${page.fields[page.axes[i]].name}`,
      "weight",
      (unit, outputs) => inputPlace(page, page.axes[i]) * outputs + unit,
    ),
  );
  sliders.push(
    weightSlider(
      page,
      () => "Bias",
      "bias",
      (unit) => unit,
    ),
  );
  const reset = button("Weights as trained", page.resetWeights);
  const node = element("div", { class: "weights" }, ...sliders.map((one) => one.node), reset);
  function update() {
    node.hidden = !page.axes || page.pointed.layer > 0;
    reset.disabled = !page.isChanged();
    if (!node.hidden) sliders.forEach((one) => one.update());
  }
  return { node, update };
}
