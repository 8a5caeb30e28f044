/**
 * Makes the site of the documentation in site/: the guides, the examples and the reference, with one search for all.
 *
 * `--check` makes it, too, but only looks for dead links and for what would come from other hosts, and writes nothing.
 *
 * @module
 */

import config from "../../deno.json" with { type: "json" };
import { type GuideGroup, llmsText, readGuides } from "./guides.ts";
import { escapeHtml, highlight } from "./highlight.ts";
import { findProblems } from "./links.ts";
import { renderMarkdown, type Section } from "./markdown.ts";
import { ICON, type Link, type LinkGroup, type Page, renderPage } from "./page.ts";
import { makeReference } from "./reference.ts";
import { SEARCH_DATA, type SearchEntry } from "./search.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const OUTPUT = `${ROOT}site`;
/** Pages beside the guides. */
const MORE = ["README.md", "docs/README.md", "CHANGELOG.md", "CONTRIBUTING.md", "lua/README.md"];
/** How many problems are told. */
const MOST_PROBLEMS = 30;
/** How much of a text the search shows. */
const EXCERPT = 2000;

/** The files of the site, by their paths. */
export type Site = Map<string, string | Uint8Array>;

/** Makes the site. */
export async function makeSite(root: string = ROOT): Promise<Site> {
  const groups = readGuides(root);
  const reference = makeReference(root, config.exports);
  const site: Site = new Map();
  const entries: SearchEntry[] = [];
  const pages: Page[] = [];
  const guides = groups.flatMap((group) => group.guides);
  const examples = readExamples(root);
  const sources = new Set([...MORE, ...guides.map(({ path }) => path)]);
  const published = (path: string): string | undefined =>
    sources.has(path)
      ? pageOf(path)
      : examples.some((example) => example.path === path)
      ? `${path}.html`
      : path === "examples"
      ? "examples/index.html"
      : undefined;

  for (const path of sources) {
    const text = Deno.readTextFileSync(root + path);
    const resolve = (link: string): string => place(root, path, link, published, site);
    const { html, sections } = renderMarkdown(text, resolve);
    const title = path === "README.md" ? "Overview" : sections[0]?.title ?? path;
    pages.push({
      path: pageOf(path),
      title,
      description: guides.find((guide) => guide.path === path)?.line,
      html: `<article class="guide${path === "docs/cheatsheet.md" ? " sheet" : ""}">${html}</article>`,
      contents: sections.filter(({ level }) => level === 2 || level === 3)
        .map(({ title, id, level }): Link => ({ title, target: `#${id}`, depth: level - 2 })),
    });
    entries.push(...sections.map((section) => entryOf(section, title, pageOf(path))));
    site.set(path, text);
  }
  for (const { path, title, text } of examples) {
    pages.push({
      path: `${path}.html`,
      title: path,
      html: `<article class="guide"><h1>${escapeHtml(path)}</h1>${highlight(text, "ts")}</article>`,
      contents: [],
      listed: "examples/index.html",
    });
    entries.push({
      title: path,
      page: "examples",
      text: `${title} ${text}`.slice(0, EXCERPT),
      url: `${path}.html`,
    });
  }
  pages.push(examplesPage(examples));

  const { pages: symbols, styles, entries: symbolEntries, links } = await reference;
  pages.push(...symbols);
  for (const [path, css] of styles) site.set(path, css);
  const list = listPages(groups, links);
  for (const page of pages) site.set(page.path, renderPage(page, list));

  const summary = config.description;
  site.set("llms.txt", llmsText(groups, summary));
  site.set("icon.svg", ICON);
  site.set("search.js", `${SEARCH_DATA} = ${JSON.stringify([...entries, ...symbolEntries])};\n`);
  site.set("theme.js", Deno.readTextFileSync(new URL("client/theme.js", import.meta.url)));
  site.set("site.css", Deno.readTextFileSync(new URL("client/site.css", import.meta.url)));
  site.set("site.js", await bundle("client/site.ts"));
  return site;
}

/** Where a page of the repository is on the site. */
function pageOf(path: string): string {
  return path.replace(/README\.md$/, "index.html").replace(/\.md$/, ".html");
}

/** Where a link of a document leads on the site; a picture comes along. */
function place(
  root: string,
  from: string,
  link: string,
  published: (path: string) => string | undefined,
  site: Site,
): string {
  if (/^(?:[a-z][a-z0-9+.-]*:|#)/i.test(link)) return link;
  const { pathname, hash } = new URL(link, `file:///${from}`);
  const path = pathname.slice(1).replace(/\/$/, "");
  let target = published(path);
  if (target === undefined && /\.(?:png|jpe?g|svg|webp|gif)$/.test(path)) {
    const picture = readIfThere(root + path);
    if (picture) site.set(path, picture);
    target = path;
  }
  // What is no page stays a dead link, which the check reports.
  target ??= pageOf(path);
  return "../".repeat(pageOf(from).split("/").length - 1) + target + hash;
}

function readIfThere(path: string): Uint8Array | undefined {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function entryOf({ title, id, text }: Section, page: string, path: string): SearchEntry {
  return { title, page, text: text.replaceAll(/\s+/g, " ").trim().slice(0, EXCERPT), url: `${path}#${id}` };
}

interface Example {
  readonly path: string;
  readonly title: string;
  readonly text: string;
}

/** The example programs, with the first sentence of what they say about themselves. */
function readExamples(root: string): Example[] {
  const names = [...Deno.readDirSync(`${root}examples`)].map(({ name }) => name);
  return names.filter((name) => /\.(?:tsx?|ipynb)$/.test(name)).sort().map((name) => {
    const path = `examples/${name}`;
    const text = Deno.readTextFileSync(root + path);
    if (name.endsWith(".ipynb")) {
      return { path, title: "A notebook of plain assignment.", text: notebookText(text) };
    }
    const [, comment = ""] = /^\/\*\*\n([\s\S]*?)\*\//.exec(text) ?? [];
    const [title] = comment.replaceAll(/^ ?\* ?/gm, "").trim().split(/(?<=\.)\s/);
    return { path, title: title.replaceAll("\n", " "), text };
  });
}

/** The cells of a notebook as one program. */
function notebookText(json: string): string {
  const { cells } = JSON.parse(json) as { cells: { cell_type: string; source: string[] }[] };
  return cells.map(({ cell_type, source }) => {
    const text = source.join("").trimEnd();
    return cell_type === "code" ? text : text.split("\n").map((line) => `// ${line}`.trimEnd()).join("\n");
  }).join("\n\n");
}

function examplesPage(examples: readonly Example[]): Page {
  const list = (some: readonly Example[]): string =>
    `<ul>${
      some.map(({ path, title }) => {
        const about = escapeHtml(title).replaceAll(/`([^`]+)`/g, "<code>$1</code>");
        return `<li><a href="../${path}.html">${
          escapeHtml(path.replace("examples/", ""))
        }</a>: ${about}</li>`;
      }).join("\n")
    }</ul>`;
  const isOfDemo = ({ path, text }: Example): boolean =>
    /demo\.ts$/.test(path) || /^\/\*\*[^/]*\bthe demo\b/.test(text);
  const html = `<article class="guide"><h1>Examples</h1>
<p>Whole small programs, which the tests run.</p>
${list(examples.filter((example) => !isOfDemo(example)))}
<h2 id="the-demo">The demo</h2>
<p><code>deno task demo</code>, and the files that it uses.</p>
${list(examples.filter(isOfDemo))}</article>`;
  return { path: "examples/index.html", title: "Examples", html, contents: [] };
}

/** The list of pages that stands beside each. */
function listPages(groups: readonly GuideGroup[], reference: LinkGroup): LinkGroup[] {
  const guides = groups.map(({ title, guides }): LinkGroup => ({
    title,
    links: guides.map((guide): Link => ({ title: guide.title, target: pageOf(guide.path) })),
  }));
  const project: LinkGroup = {
    title: "Project",
    links: [
      { title: "Overview", target: "index.html" },
      { title: "Examples", target: "examples/index.html" },
      { title: "Changelog", target: "CHANGELOG.html" },
      { title: "Contributing", target: "CONTRIBUTING.html" },
      { title: "Wire contract", target: "lua/index.html" },
    ],
  };
  const [first, ...others] = guides;
  const start = { ...first, links: [project.links[0], ...first.links] };
  return [start, ...others, reference, { ...project, links: project.links.slice(1) }];
}

async function bundle(path: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--platform", "browser", "--minify", new URL(path, import.meta.url).pathname],
    cwd: ROOT,
  }).output();
  if (!success) throw new Error(`Cannot bundle ${path}:\n${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

async function main(): Promise<number> {
  const start = performance.now();
  const site = await makeSite();
  const problems = findProblems(site);
  for (const problem of problems.slice(0, MOST_PROBLEMS)) console.error(problem);
  if (problems.length > 0) {
    console.error(`${problems.length} problems in the site`);
    return 1;
  }
  if (!Deno.args.includes("--check")) {
    await Deno.remove(OUTPUT, { recursive: true }).catch(() => {});
    for (const [path, content] of site) {
      await Deno.mkdir(`${OUTPUT}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
      await (typeof content === "string" ? Deno.writeTextFile : Deno.writeFile)(
        `${OUTPUT}/${path}`,
        content as never,
      );
    }
  }
  const pages = [...site.keys()].filter((path) => path.endsWith(".html")).length;
  const where = Deno.args.includes("--check") ? "no dead link, nothing from other hosts" : "site/index.html";
  console.log(`${pages} pages in ${((performance.now() - start) / 1000).toFixed(1)} s: ${where}`);
  return 0;
}

if (import.meta.main) Deno.exit(await main());
