/* The viewer: the documents of a dataset, which are in the page, one at a time. */

(() => {
  const at = (id) => document.getElementById(id);
  const lines = at("documents").textContent.trim();
  const documents = lines ? lines.split("\n").map((line) => JSON.parse(line)) : [];
  const searched = documents.map(({ document_id, text }) => `${document_id}\n${text}`.toLowerCase());
  const panel = resultPanel(recount);
  let listed = [];
  let current = -1;

  const numberOfAddress = () => Number(location.hash.slice(1)) - 1;

  const links = documents.map((one, number) => {
    const count = element("span", { className: one.error ? "bad" : "number" });
    const first = element("span", { className: "first" }, one.text.trim().split("\n", 1)[0].slice(0, 200) || "no text");
    const properties = { className: "stop", href: `#${number + 1}`, tabIndex: -1 };
    return element("a", properties, element("b", {}, one.document_id), count, first);
  });
  const items = links.map((link) => element("li", {}, link));

  /** Counts the entities of each document that pass the filters. */
  function recount() {
    for (const [number, { chunks, error }] of documents.entries()) {
      const count = chunks.filter(panel.passes).length;
      links[number].children[1].textContent = error ? "error" : counted(count, "entity", "entities");
    }
  }

  function find() {
    const wanted = at("filter").value.trim().toLowerCase();
    listed = [...documents.keys()].filter((number) => searched[number].includes(wanted));
    at("list").replaceChildren(...listed.map((number) => items[number]));
    at("list").hidden = !listed.length;
    const all = counted(documents.length, "document", "documents");
    at("matching").textContent = wanted ? `${listed.length.toLocaleString("en")} of ${all}` : all;
    makeStop(at("list"), listed.includes(current) ? links[current] : links[listed[0]]);
    enable();
  }

  /** The next document of the list, or the one before; from one that is not listed, the nearest. */
  const after = () => listed.find((number) => number > current);
  const before = () => listed.findLast((number) => number < current);

  function enable() {
    at("next").setAttribute("aria-disabled", String(after() === undefined));
    at("previous").setAttribute("aria-disabled", String(before() === undefined));
  }

  function show(number) {
    links[current]?.removeAttribute("aria-current");
    current = number;
    const link = links[number];
    link.setAttribute("aria-current", "true");
    if (link.isConnected) {
      makeStop(at("list"), link);
      const [list, item] = [at("list"), items[number]];
      const [above, below] = [item.offsetTop, item.offsetTop + item.offsetHeight - list.clientHeight];
      if (list.scrollTop > above || list.scrollTop < below) list.scrollTop = above - list.clientHeight / 2;
    }
    const one = documents[number];
    at("document-id").textContent = one.document_id;
    at("source").textContent = `Record ${(one.ordinal + 1).toLocaleString("en")} of ${one.source}`;
    at("error").textContent = one.error ? `Not tagged: ${one.error}` : "";
    at("error").hidden = !one.error;
    at("panel").hidden = Boolean(one.error);
    panel.show(one);
    enable();
  }

  function go(number) {
    if (number !== undefined) location.hash = `#${number + 1}`;
  }

  at("filter").addEventListener("input", find);
  at("next").addEventListener("click", () => go(after()));
  at("previous").addEventListener("click", () => go(before()));
  window.addEventListener("hashchange", () => documents[numberOfAddress()] && show(numberOfAddress()));
  roving(at("list"));
  panel.setEntities(entitiesOf(documents));
  find();
  recount();
  if (documents.length) show(documents[numberOfAddress()] ? numberOfAddress() : 0);
  document.querySelector("article").hidden = !documents.length;
})();
