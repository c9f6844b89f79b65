"use strict";
/* Text with its entities marked, for the tagger's page and the viewer's.

   Whatever comes from a text, a model or a server gets into the page as a text node or an attribute, never as markup.
   Offsets are half-open code points, as everywhere in cytotag; JavaScript counts UTF-16 units. */

/** An element with properties (or, where it has no such property, attributes) and children; strings become text. */
function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** Where each code point of a text begins in UTF-16 units, and last where the text ends. */
function unitOffsets(text) {
  const offsets = new Uint32Array(text.length + 1);
  let points = 0;
  let units = 0;
  for (const character of text) {
    offsets[points++] = units;
    units += character.length;
  }
  offsets[points] = units;
  return offsets.subarray(0, points + 1);
}

function countCodePoints(text) {
  return unitOffsets(text).length - 1;
}

/** An entity's name as people write it. */
function entityName(entity) {
  return entity.replaceAll("_", " ");
}

function formatScore(score) {
  return score.toFixed(3);
}

/** "1 entity", "2,100 entities". */
function counted(number, one, many) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

const KNOWN_ENTITIES = ["protein", "DNA", "RNA", "cell_line", "cell_type"];

/** The names of the entities of documents: those of the embedded model in its order, then others by name. */
function entitiesOf(documents) {
  const found = new Set(documents.flatMap(({ chunks }) => chunks.map(({ entity }) => entity)));
  const known = KNOWN_ENTITIES.filter((entity) => found.has(entity));
  return [...known, ...[...found].filter((entity) => !known.includes(entity)).sort()];
}

/** Puts a text into `container`, with a mark for each chunk; gives the marks. `chunks` by offset, none overlapping. */
function highlight(container, text, chunks) {
  const units = unitOffsets(text);
  const pieces = document.createDocumentFragment();
  let written = 0;
  const marks = chunks.map((chunk) => {
    const [start, end] = [units[chunk.start], units[chunk.end]];
    const mark = element("mark", { className: "entity stop", role: "button", tabIndex: -1 }, text.slice(start, end));
    mark.dataset.entity = chunk.entity;
    mark.dataset.name = entityName(chunk.entity);
    mark.setAttribute("aria-label", `${chunk.text}, ${mark.dataset.name}, score ${formatScore(chunk.score)}`);
    pieces.append(text.slice(written, start), mark);
    written = end;
    return mark;
  });
  pieces.append(text.slice(written));
  container.replaceChildren(pieces);
  return marks;
}

/** Makes one tab stop of all elements `.stop` of a container: the arrows go from one to the next. */
function roving(container) {
  container.addEventListener("keydown", (event) => {
    const at = event.target.closest(".stop");
    if (!at || event.altKey || event.ctrlKey || event.metaKey) return;
    const stops = [...container.querySelectorAll(".stop")];
    const number = stops.indexOf(at);
    const wanted = {
      ArrowRight: number + 1,
      ArrowDown: number + 1,
      ArrowLeft: number - 1,
      ArrowUp: number - 1,
      Home: 0,
      End: stops.length - 1,
    }[event.key];
    if (wanted === undefined) return;
    event.preventDefault();
    stops[wanted]?.focus();
  });
  container.addEventListener("focusin", (event) => {
    const stop = event.target.closest(".stop");
    if (stop) makeStop(container, stop);
  });
}

/** Lets the tab key come to this element of a container, and to no other `.stop` of it. */
function makeStop(container, stop) {
  for (const one of container.querySelectorAll('.stop[tabindex="0"]')) one.tabIndex = -1;
  if (stop) stop.tabIndex = 0;
}
