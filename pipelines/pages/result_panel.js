/* What is found in one document: its text with marks, a table of them, filters, and buttons to copy what is shown. */

/** Rows that the table has until all are asked for: a browser lays out thousands slowly, at each move of the slider. */
const FIRST_ROWS = 500;

/** Brings result_panel.html to life.

    `onFilter` is called when the filters change. Gives `show(document)`, `setEntities(names)`, `setThreshold(score)` and
    `passes(chunk)`. */
function resultPanel(onFilter = () => {}) {
  const [text, rows] = [document.getElementById("text"), document.querySelector("#entities tbody")];
  const [threshold, summary] = [document.getElementById("threshold"), document.getElementById("summary")];
  const boxes = new Map();
  let current = null;
  let shown = [];
  let marks = [];
  let drawn = false;
  let most = FIRST_ROWS;

  const over = (chunk) => chunk.score >= threshold.valueAsNumber;
  const passes = (chunk) => over(chunk) && (boxes.get(chunk.entity)?.checked ?? true);

  function setEntities(names) {
    for (const entity of names) {
      if (boxes.has(entity)) continue;
      const box = element("input", { type: "checkbox", checked: true });
      const name = element("span", { className: "entity" }, entityName(entity));
      name.dataset.entity = entity;
      const count = element("span", { className: "count" }, "0");
      document.getElementById("types").append(element("label", {}, box, name, count));
      box.addEventListener("change", filter);
      boxes.set(entity, box);
    }
  }

  function setThreshold(score) {
    threshold.value = score;
    document.getElementById("threshold-value").textContent = threshold.valueAsNumber.toFixed(2);
    filter();
  }

  function show(found) {
    current = found;
    most = FIRST_ROWS;
    setEntities(entitiesOf([found]));
    document.getElementById("copy-by-hand").hidden = true;
    draw();
  }

  function draw() {
    drawn = true;
    shown = current.chunks.filter(passes);
    marks = highlight(text, current.text, shown);
    rows.replaceChildren(...shown.slice(0, most).map(row));
    document.getElementById("all-rows").textContent = `List all ${shown.length.toLocaleString("en")}`;
    document.getElementById("all-rows").hidden = shown.length <= most;
    makeStop(text, marks[0]);
    makeStop(rows, rows.querySelector(".stop"));
    document.getElementById("entities").hidden = !shown.length;
    hideScore();
    const counts = new Map();
    for (const { entity } of current.chunks.filter(over)) counts.set(entity, (counts.get(entity) ?? 0) + 1);
    for (const [entity, box] of boxes) {
      const count = box.parentElement.querySelector(".count");
      count.textContent = (counts.get(entity) ?? 0).toLocaleString("en");
      box.parentElement.classList.toggle("none", !counts.has(entity));
    }
    say(shown.length, current.chunks.length);
  }

  function say(number, all) {
    document.getElementById("threshold-value").textContent = threshold.valueAsNumber.toFixed(2);
    if (!all) summary.textContent = "No entities in this text.";
    else if (number === all) summary.textContent = counted(all, "entity", "entities");
    else if (number) summary.textContent = `${number.toLocaleString("en")} of ${counted(all, "entity", "entities")}`;
    else summary.textContent = `None of ${counted(all, "entity", "entities")} passes the filters.`;
  }

  /** Filters anew, once a frame at most while the slider moves. */
  function filter() {
    if (!drawn) return;
    drawn = false;
    requestAnimationFrame(() => {
      draw();
      onFilter();
    });
  }

  function row(chunk) {
    const name = element("span", { className: "entity" }, entityName(chunk.entity));
    name.dataset.entity = chunk.entity;
    const button = element("button", { type: "button", className: "mention stop", tabIndex: -1 }, chunk.text);
    const cells = [button, name, formatScore(chunk.score), `${chunk.start}–${chunk.end}`];
    const classes = ["", "", "number", "number position"];
    return element("tr", {}, ...cells.map((cell, number) => element("td", { className: classes[number] }, cell)));
  }

  const score = document.getElementById("score");

  /** Shows the score of a mark beside it, and which row is its. */
  function showScore(number) {
    const [chunk, mark] = [shown[number], marks[number]];
    pick(number);
    score.textContent = `${entityName(chunk.entity)} · score ${formatScore(chunk.score)} · ${chunk.start}–${chunk.end}`;
    score.hidden = false;
    const [box, line] = [text.parentElement.getBoundingClientRect(), mark.getClientRects()[0]];
    const most = box.width - score.offsetWidth;
    score.style.left = `${Math.max(0, Math.min(line.left - box.left, most))}px`;
    score.style.top = `${line.top - box.top - score.offsetHeight}px`;
  }

  function hideScore() {
    score.hidden = true;
    pick(-1);
  }

  function pick(number) {
    for (const one of document.querySelectorAll(".picked")) one.classList.remove("picked");
    marks[number]?.classList.add("picked");
    rows.children[number]?.classList.add("picked");
  }

  /** Scrolls the table, and not the page, to a row. */
  function reveal(number) {
    const [box, line] = [rows.closest(".entities"), rows.children[number]];
    if (line && box.scrollHeight > box.clientHeight) box.scrollTop = line.offsetTop - box.clientHeight / 2;
  }

  const numberOf = (event) => marks.indexOf(event.target.closest("mark"));
  const rowOf = (event) => [...rows.children].indexOf(event.target.closest("tr"));

  text.addEventListener("pointerover", (event) => (numberOf(event) < 0 ? hideScore() : showScore(numberOf(event))));
  text.parentElement.addEventListener("pointerleave", hideScore);
  text.addEventListener("focusin", (event) => {
    showScore(numberOf(event));
    reveal(numberOf(event));
  });
  text.addEventListener("focusout", hideScore);
  const toRow = (event) => rows.children[numberOf(event)]?.querySelector(".stop").focus();
  text.addEventListener("click", (event) => event.detail === 0 && toRow(event)); // a screen reader's click has no count
  text.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hideScore();
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    toRow(event);
  });
  rows.addEventListener("pointerover", (event) => pick(rowOf(event)));
  rows.addEventListener("pointerleave", () => pick(-1));
  rows.addEventListener("focusin", (event) => pick(rowOf(event)));
  rows.addEventListener("focusout", () => pick(-1));
  rows.addEventListener("click", (event) => marks[rowOf(event)]?.focus());
  roving(text);
  roving(rows);
  threshold.addEventListener("input", filter);
  document.getElementById("all-rows").addEventListener("click", () => {
    const next = rows.children.length;
    most = Infinity;
    draw();
    rows.children[next].querySelector(".stop").focus();
  });

  for (const [id, format, render] of [["copy-json", "JSON", asJson], ["copy-pubtator", "PubTator", asPubtator]]) {
    document.getElementById(id).addEventListener("click", async () => {
      if (!current) return;
      const what = `${counted(shown.length, "entity", "entities")} as ${format}`;
      const copied = await copy(render({ ...current, chunks: shown }), document.getElementById("copy-by-hand"));
      summary.textContent = copied ? `Copied ${what}.` : `Copy the ${what} with Ctrl+C or ⌘C.`;
    });
  }
  return { show, setEntities, setThreshold, passes };
}
