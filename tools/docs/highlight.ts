/**
 * Colours code.
 *
 * @module
 */

import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import lua from "highlight.js/lib/languages/lua";
import python from "highlight.js/lib/languages/python";
import shell from "highlight.js/lib/languages/shell";
import typescript from "highlight.js/lib/languages/typescript";

hljs.registerLanguage("js", javascript);
hljs.registerLanguage("json", json);
hljs.registerLanguage("lua", lua);
hljs.registerLanguage("py", python);
hljs.registerLanguage("sh", bash);
hljs.registerLanguage("console", shell);
hljs.registerLanguage("ts", typescript);

const done = new Map<string, string>();

/** A block of code as HTML; what an example prints is marked. */
export function highlight(code: string, language: string): string {
  const key = `${language}\n${code}`;
  const known = done.get(key);
  if (known !== undefined) return known;
  const name = hljs.getLanguage(language) ? language : "plaintext";
  const coloured = name === "plaintext" ? escapeHtml(code) : hljs.highlight(code, { language: name }).value;
  const marked = coloured.replaceAll(/<span class="hljs-comment">(?=\/\/ =&gt;)/g, '<span class="printed">');
  const html = `<pre class="code" tabindex="0"><code>${marked.trimEnd()}\n</code></pre>`;
  done.set(key, html);
  return html;
}

/** A text as HTML. */
export function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll(
    '"',
    "&quot;",
  );
}
