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
    const nodes = readNodes(folder);
    const pages = [...htmlFiles(folder)].map((path) => makePage(folder, path, names, nodes)).filter((page) =>
      page !== undefined
    );
    return { pages, styles, entries: makeEntries(nodes), links: listEntryPoints(names) };
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

function makePage(
  folder: string,
  path: string,
  names: readonly string[],
  nodes: readonly Node[],
): Page | undefined {
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
  const isEntry = /^(?:[^~]+\/)?index\.html$/.test(path);
  const title = isEntry
    ? `@json-dict/redis${entry && `/${entry}`}`
    : $("title").text().replace(/(?: - .*)? -? ?json-dict documentation$/, "") || "All symbols";
  const isNamed = $(".symbolTitle").length > 0;
  if (isEntry) contents.push({ title: "Exports", target: "#exports" });
  const main = $("#content > main");
  return {
    path: `${FOLDER}/${path}`,
    title,
    description: main.find(".markdown p").first().text().replaceAll(/\s+/g, " ").trim(),
    html: `<div class="ddoc reference">${crumbs}${isNamed ? "" : `<h1>${escapeHtml(title)}</h1>`}${
      main.html() ?? ""
    }${isEntry ? listExports(folder, entry, nodes) : ""}</div>`,
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

/** What an entry point exports, each with the first sentence about it. */
function listExports(folder: string, entry: string, nodes: readonly Node[]): string {
  const names = [...Deno.readDirSync(`${folder}/${entry}/~`)].map(({ name }) => name.replace(/\.html$/, ""));
  const rows = names.filter((name) => !name.includes(".")).sort().map((name) => {
    const node = nodes.find((node) => node.name === name && node.file === (entry || ".")) ??
      nodes.find((node) => node.name === name);
    const [sentence] = node?.doc.split(/(?<=\.)(?=\s|[A-Z])/) ?? [""];
    return `<tr><td><a href="~/${name}.html"><code>${name}</code></a></td><td>${
      escapeHtml(node ? kindOf(node) : "")
    }</td><td>${escapeHtml(sentence)}</td></tr>`;
  });
  return `<h2 id="exports">Exports</h2><div class="wide"><table><tbody>${
    rows.join("\n")
  }</tbody></table></div>`;
}

function kindOf({ kind }: Node): string {
  return kind.map(({ title }) => title.toLowerCase()).join(", ");
}

/** What `deno doc` would search. */
function readNodes(folder: string): Node[] {
  const script = Deno.readTextFileSync(`${folder}/search_index.js`);
  const [, json] = /DENO_DOC_SEARCH_INDEX = (\{.*\});\s*\}\)\(\)\s*$/s.exec(script) ?? [];
  if (json === undefined) throw new Error("Cannot read the list of symbols that deno doc has made");
  const { nodes } = JSON.parse(json) as { nodes: Node[] };
  return nodes.toSorted((a, b) => a.name < b.name ? -1 : 1);
}

/** A symbol of several entry points counts once: where it is a class, or else where it is first. */
function makeEntries(nodes: readonly Node[]): SearchEntry[] {
  const order = [".", "core", "sync"];
  const rank = (node: Node): number =>
    ((order.indexOf(node.file) + 1) || order.length + 1) + (kindOf(node) === "class" ? 0 : 10);
  const entries = new Map<string, SearchEntry>();
  for (const node of nodes.toSorted((a, b) => rank(a) - rank(b))) {
    if (entries.has(node.name)) continue;
    entries.set(node.name, {
      title: node.name.replace(".prototype.", "."),
      page: kindOf(node),
      text: node.doc,
      url: `${FOLDER}/${node.url.replace(/^(?:\.\/)+/, "")}`,
      isSymbol: true,
    });
  }
  return [...entries.values()];
}
