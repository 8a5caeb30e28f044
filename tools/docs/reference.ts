/**
 * The reference: what `deno doc --html` makes of the sources, in the frame of this site.
 *
 * @module
 */

import { type CheerioAPI, load } from "cheerio/slim";
import { run } from "../command.ts";
import { escapeHtml, highlight } from "./highlight.ts";
import type { Link, LinkGroup, Page } from "./page.ts";
import type { SearchEntry } from "./search.ts";

/** The folder of the site that the reference is in. */
const FOLDER = "reference";
const STYLES = ["styles.css", "page.css", "comrak.css"];

/** The pages, their files of style, and what a search finds in them. */
export interface Reference {
  readonly pages: readonly Page[];
  /** Paths from the root of the site, and texts. */
  readonly styles: ReadonlyMap<string, string>;
  readonly entries: readonly SearchEntry[];
  readonly links: LinkGroup;
}

/** A symbol, as `deno doc` lists it for its own search. */
interface Node {
  readonly name: string;
  readonly file: string;
  readonly doc: string;
  readonly url: string;
  readonly kind: readonly { readonly title: string }[];
}

/** Makes the reference of some entry points: their names, and the files that they are. */
export async function makeReference(root: string, entryPoints: Record<string, string>): Promise<Reference> {
  const folder = await Deno.makeTempDir({ prefix: "json-dict-reference-" });
  try {
    const { ok, output } = await run(
      Deno.execPath(),
      ["doc", "--html", "--name=json-dict", `--output=${folder}`, ...Object.values(entryPoints)],
      { cwd: root },
    );
    if (!ok) throw new Error(`Cannot make the reference:\n${output}`);
    const names = Object.keys(entryPoints).map((name) => name.replace(/^\.\/?/, ""));
    const styles = new Map(
      STYLES.map((name) => [`${FOLDER}/${name}`, Deno.readTextFileSync(`${folder}/${name}`)]),
    );
    const pages = [...htmlFiles(folder)].map((path) => makePage(folder, path, names)).filter((page) =>
      page !== undefined
    );
    return { pages, styles, entries: readEntries(folder), links: listEntryPoints(names) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function* htmlFiles(folder: string, below = ""): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(`${folder}/${below}`)) {
    if (isDirectory) yield* htmlFiles(folder, `${below}${name}/`);
    else if (name.endsWith(".html")) yield `${below}${name}`;
  }
}

function listEntryPoints(names: readonly string[]): LinkGroup {
  const links = names.map((name): Link => ({
    title: name === "" ? "@json-dict/redis" : `…/${name}`,
    target: `${FOLDER}/${name && `${name}/`}index.html`,
  }));
  return {
    title: "Reference",
    links: [...links, { title: "All symbols", target: `${FOLDER}/all_symbols.html` }],
  };
}

function makePage(folder: string, path: string, names: readonly string[]): Page | undefined {
  const $ = load(Deno.readTextFileSync(`${folder}/${path}`));
  // Where a class has no page for its prototype there is one that leads on to the class.
  if ($("meta[http-equiv=refresh]").length > 0) return undefined;
  const entry = names.find((name) => name !== "" && path.startsWith(`${name}/`)) ?? "";
  const listed = path === "all_symbols.html"
    ? `${FOLDER}/${path}`
    : `${FOLDER}/${entry && `${entry}/`}index.html`;
  const styles = STYLES.map((name) => `${FOLDER}/${name}`);
  tidy($);
  const crumbs = $(".breadcrumbs").length > 0 ? breadcrumbs($) : "";
  const contents = $(".documentNavigation a[href^='#']").toArray().map((link): Link => ({
    title: $(link).text().trim(),
    target: $(link).attr("href")!,
    depth: $(link).parents("ul").length - 1,
  })).filter(({ depth }) => depth! < 2);
  const symbols = path.endsWith("/index.html") || path === "index.html" ? topSymbols($) : "";
  const title = $("title").text().replace(/(?: - .*)? -? ?json-dict documentation$/, "") || "Reference";
  const main = $("#content > main");
  return {
    path: `${FOLDER}/${path}`,
    title,
    description: main.find(".markdown p").first().text().replaceAll(/\s+/g, " ").trim(),
    html: `<div class="ddoc reference">${crumbs}${main.html() ?? ""}${symbols}</div>`,
    contents,
    styles,
    listed,
  };
}

/** Takes out what belongs to the frame of `deno doc`, or to the machine that it ran on. */
function tidy($: CheerioAPI): void {
  $(".sourceButton, .copyButton, #ddocResetStylesheet, script").remove();
  $("a.anchor").each((_, anchor) => {
    const link = $(anchor);
    link.empty().attr("aria-label", "Link to this part").removeAttr("tabindex");
  });
  $("pre.highlight").each((_, block) => {
    const code = $(block).find("code").first();
    const language = /language-(\w+)/.exec(code.attr("class") ?? "")?.[1] ?? "";
    $(block).replaceWith(highlight(code.text(), language));
  });
  $("a[href]").each((_, element) => {
    const href = $(element).attr("href")!;
    if (/^[./]*$/.test(href)) $(element).attr("href", `${href}index.html`);
    else $(element).attr("href", href.replace(/\.prototype\.html$/, ".html"));
  });
  // The same anchor on two elements leads to the first; the others are only in the way.
  const ids = new Set<string>();
  $("[id]").each((_, element) => {
    const id = $(element).attr("id")!;
    if (id === "" || ids.has(id)) $(element).removeAttr("id");
    ids.add(id);
  });
  // Some parameters of types have no entry of their own.
  $("a[href^='#']").each((_, link) => {
    if (!ids.has($(link).attr("href")!.slice(1))) $(link).replaceWith($(link).contents());
  });
}

function breadcrumbs($: CheerioAPI): string {
  const parts = $(".breadcrumbs a, .breadcrumbs li:not(:has(a))").toArray()
    .filter((part) => $(part).find("li").length === 0 && $(part).text().trim() !== "prototype")
    .map((part) => {
      const text = escapeHtml($(part).text().trim().replace(/^\.\s*/, ""));
      const href = $(part).attr("href");
      return href === undefined ? `<span>${text}</span>` : `<a href="${escapeHtml(href)}">${text}</a>`;
    });
  return parts.length < 2 ? "" : `<nav class="crumbs" aria-label="Where this is">${parts.join(" / ")}</nav>`;
}

/** What an entry point exports, which `deno doc` has beside the text. */
function topSymbols($: CheerioAPI): string {
  const items = $(".topSymbols li a").toArray().map((link) => {
    const kind = $(link).find("[title]").map((_, each) => $(each).attr("title")).get().join(", ");
    return `<li><a href="${escapeHtml($(link).attr("href")!)}">${
      escapeHtml($(link).find("> span").text().trim())
    }</a> <span class="kind">${escapeHtml(kind.toLowerCase())}</span></li>`;
  });
  const all = $(".topSymbols > a").first();
  const more = all.length > 0
    ? `<p><a href="${escapeHtml(all.attr("href")!)}">${escapeHtml(all.text().trim())}</a></p>`
    : "";
  return items.length === 0 ? "" : `<h2>Exports</h2><ul class="symbols">${items.join("")}</ul>${more}`;
}

/** What `deno doc` would search; a symbol of several entry points counts once, where it is first. */
function readEntries(folder: string): SearchEntry[] {
  const script = Deno.readTextFileSync(`${folder}/search_index.js`);
  const [, json] = /DENO_DOC_SEARCH_INDEX = (\{.*\});\s*\}\)\(\)\s*$/s.exec(script) ?? [];
  if (json === undefined) throw new Error("Cannot read the list of symbols that deno doc has made");
  const { nodes } = JSON.parse(json) as { nodes: Node[] };
  const order = [".", "core", "sync"];
  const rank = ({ file }: Node): number => (order.indexOf(file) + 1) || order.length + 1;
  const entries = new Map<string, SearchEntry>();
  for (const node of nodes.toSorted((a, b) => rank(a) - rank(b))) {
    if (entries.has(node.name)) continue;
    const name = node.name.replace(".prototype.", ".");
    entries.set(node.name, {
      title: name,
      page: node.kind.map(({ title }) => title.toLowerCase()).join(", "),
      text: node.doc,
      url: `${FOLDER}/${node.url.replace(/^(?:\.\/)+/, "")}`,
      isSymbol: true,
    });
  }
  return [...entries.values()];
}
