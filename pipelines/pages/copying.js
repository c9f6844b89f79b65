/* A document as JSON and as PubTator, and onto the clipboard. */

/** A document (`document_id`, `text`, `sentences`, `chunks`) as JSON that people can read. */
function asJson({ document_id, text, sentences, chunks }) {
  return `${JSON.stringify({ document_id, text, sentences, chunks }, null, 2)}\n`;
}

/** A document as PubTator, as `cytotag convert --to pubtator` writes it (pipelines/exports/pubtator.py). */
function asPubtator({ document_id, text, chunks }) {
  const unsafe = /[\u0000-\u0020\u007f-\u00a0|%\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/g;
  const oneLine = (line) => line.replace(/[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]/g, " ");
  const id = document_id.replace(unsafe, encodeURIComponent);
  const end = text.indexOf("\n");
  const [title, abstract] = end < 0 ? [text, ""] : [text.slice(0, end), text.slice(end + 1)];
  const lines = chunks.map((chunk) =>
    [id, chunk.start, chunk.end, oneLine(chunk.text), oneLine(chunk.entity), "-"].join("\t"),
  );
  return [`${id}|t|${oneLine(title)}`, `${id}|a|${oneLine(abstract)}`, ...lines, "", ""].join("\n");
}

/** Copies a text; where the browser does not allow that, shows it selected in `field`, for the person to copy. */
async function copy(text, field) {
  try {
    await navigator.clipboard.writeText(text);
    field.hidden = true;
    return true;
  } catch {
    field.hidden = false;
    field.value = text;
    field.focus();
    field.select();
    return false;
  }
}
