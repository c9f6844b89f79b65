/* The tagger's page: a text goes to the server, and what is found in it is shown. */

(() => {
  const at = (id) => document.getElementById(id);
  const [text, status, problem, button] = [at("input"), at("status"), at("problem"), at("tag")];
  const panel = resultPanel();
  let characters = Infinity;
  let token = null;
  let waiting = false;

  const UNREADABLE = "The server's answer cannot be read. Try again.";

  /** What went wrong, in a line that the person can do something with. */
  class Problem extends Error {
    constructor(message, status = 0) {
      super(message);
      this.status = status;
    }
  }

  async function ask(path, options = {}) {
    const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
    let response;
    try {
      response = await fetch(path, { ...options, headers });
    } catch {
      throw new Problem("The server cannot be reached. Check the connection, then try again.");
    }
    if (!response.ok) throw new Problem(await reason(response), response.status);
    try {
      return await response.json();
    } catch {
      throw new Problem(UNREADABLE);
    }
  }

  async function reason(response) {
    const detail = await said(response);
    const end = detail && !/[.!?]$/.test(detail) ? `${detail}.` : detail;
    const seconds = Number(response.headers.get("Retry-After") || NaN);
    const when = seconds > 0 ? `in ${counted(Math.ceil(seconds), "second", "seconds")}` : "in a moment";
    if (response.status === 401) return `The server ${token ? "does not take this" : "asks for a"} token.`;
    if (response.status === 413) return `The text is too long for the server. ${end}`.trim();
    if (response.status === 429 || response.status === 503) return `The server is busy. Try again ${when}.`;
    return `The server answered with an error (${response.status}). ${end}`.trim();
  }

  async function said(response) {
    try {
      const { detail } = await response.json();
      if (!Array.isArray(detail)) return String(detail ?? "");
      return detail.map(({ loc, msg }) => `${(loc ?? []).join(".")}: ${msg}`).join("; ");
    } catch {
      return "";
    }
  }

  function complain(error) {
    status.textContent = "";
    problem.textContent = error.message;
    if (error.status === 401) {
      at("token-form").hidden = false;
      at("token").focus();
    }
  }

  async function load() {
    try {
      const model = await ask("v1/model");
      at("model").textContent = `Model: ${model.name}`;
      characters = model.limits?.characters ?? Infinity;
      panel.setEntities(model.entities ?? []);
      panel.setThreshold(model.threshold ?? 0);
      count();
      return true;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      complain(error);
      return false;
    }
  }

  function count() {
    const length = countCodePoints(text.value);
    const limit = characters === Infinity ? "" : ` of ${characters.toLocaleString("en")}`;
    at("count").textContent = `${length.toLocaleString("en")}${limit} characters`;
    at("count").classList.toggle("bad", length > characters);
    return length;
  }

  async function tag() {
    if (waiting) return;
    problem.textContent = status.textContent = "";
    const [sent, length] = [text.value, count()];
    if (!sent.trim()) return complain(new Problem("Paste or write a text first."));
    if (length > characters) {
      const [has, most] = [length.toLocaleString("en"), characters.toLocaleString("en")];
      return complain(new Problem(`The text has ${has} characters; the server takes ${most}. Shorten it.`));
    }
    wait(true);
    status.textContent = `Tagging ${counted(length, "character", "characters")} …`;
    const began = performance.now();
    try {
      const headers = { "Content-Type": "application/json" };
      const body = JSON.stringify({ text: sent, threshold: 0 }); // the slider hides what the model's own would drop
      const answer = await ask("v1/tag", { method: "POST", headers, body });
      const found = answer?.documents?.[0];
      if (!Array.isArray(found?.chunks)) throw new Problem(UNREADABLE);
      if (found.error) throw new Problem(`This text cannot be tagged: ${found.error}`);
      at("result").hidden = false;
      panel.show({ ...found, text: sent });
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      status.textContent = `Done: ${counted(found.chunks.length, "entity", "entities")} in ${seconds} s.`;
      if (at("result").getBoundingClientRect().top > innerHeight * 0.6) at("result").scrollIntoView();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      complain(error);
    } finally {
      wait(false);
    }
  }

  function wait(now) {
    waiting = now;
    button.setAttribute("aria-disabled", String(now));
    at("result").setAttribute("aria-busy", String(now));
    document.body.classList.toggle("waiting", now);
  }

  at("form").addEventListener("submit", (event) => {
    event.preventDefault();
    tag();
  });
  text.addEventListener("input", count);
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    tag();
  });
  for (const example of document.querySelectorAll(".example")) {
    example.addEventListener("click", () => {
      if (waiting) return;
      text.value = example.value;
      tag();
    });
  }
  at("token-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const given = at("token").value.trim();
    if (!/^[\x21-\x7e]+$/.test(given)) return complain(new Problem("A token has no spaces and no accents."));
    token = given;
    problem.textContent = "";
    if (!(await load())) return;
    at("token-form").hidden = true;
    at("token").value = "";
    text.focus();
    if (text.value.trim()) tag();
  });
  load();
  count();
})();
