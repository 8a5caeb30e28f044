/**
 * What stands around every page: the head, the search, the list of pages, the contents.
 *
 * @module
 */

import { escapeHtml } from "./highlight.ts";

/** A link in the list of pages, or in the contents of one. */
export interface Link {
  readonly title: string;
  /** A page, as its path from the root of the site, or an anchor with `#`. */
  readonly target: string;
  /** How far it is moved in. */
  readonly depth?: number;
}

/** Links under a common heading. */
export interface LinkGroup {
  readonly title: string;
  readonly links: readonly Link[];
}

/** What is different from page to page. */
export interface Page {
  /** Its path from the root of the site. */
  readonly path: string;
  readonly title: string;
  readonly description?: string;
  /** The main part, as HTML. */
  readonly html: string;
  readonly contents: readonly Link[];
  /** More style sheets, as paths from the root of the site. */
  readonly styles?: readonly string[];
  /** Which link of the list stands for this page, if it is not its own. */
  readonly listed?: string;
}

/** A whole page. */
export function renderPage(page: Page, groups: readonly LinkGroup[]): string {
  const root = "../".repeat(page.path.split("/").length - 1) || "./";
  const styles = [...page.styles ?? [], "site.css"];
  const title = page.path === "index.html" ? "json-dict" : `${page.title} · json-dict`;
  const here = page.listed ?? page.path;
  return `<!DOCTYPE html>
<html lang="en" data-root="${root}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
${page.description ? `<meta name="description" content="${escapeHtml(page.description)}">\n` : ""}${
    styles.map((style) => `<link rel="stylesheet" href="${root}${style}">`).join("\n")
  }
<link rel="icon" href="${root}icon.svg">
<script src="${root}theme.js"></script>
<script src="${root}site.js" defer></script>
</head>
<body>
<a class="skip" href="#main">Skip to the text</a>
<header class="top">
<button class="menu" type="button" aria-label="Pages" aria-expanded="false" aria-controls="pages">${MENU}</button>
<a class="brand" href="${root}index.html">${LOGO}<span>json-dict</span></a>
<div class="search" role="search">
<input type="search" placeholder="Search" aria-label="Search guides and reference" autocomplete="off"
 spellcheck="false" role="combobox" aria-expanded="false" aria-controls="results" aria-autocomplete="list">
<kbd>/</kbd>
<ul id="results" role="listbox" aria-label="Results" hidden></ul>
</div>
<button class="theme" type="button" aria-label="Light or dark">${SUN}</button>
</header>
<div class="frame">
<nav id="pages" class="pages" aria-label="Pages">
${groups.map((group) => renderGroup(group, root, here)).join("\n")}
</nav>
<main id="main">
${page.html}
</main>
${renderContents(page.contents)}
</div>
</body>
</html>
`;
}

function renderGroup({ title, links }: LinkGroup, root: string, here: string): string {
  const items = links.map((link) =>
    `<li><a href="${root}${link.target}"${link.target === here ? ' aria-current="page"' : ""}>${
      escapeHtml(link.title)
    }</a></li>`
  );
  return `<h2>${escapeHtml(title)}</h2>\n<ul>\n${items.join("\n")}\n</ul>`;
}

function renderContents(contents: readonly Link[]): string {
  if (contents.length < 2) return `<div class="contents"></div>`;
  const items = contents.map(({ title, target, depth = 0 }) =>
    `<li class="depth${depth}"><a href="${target}">${escapeHtml(title)}</a></li>`
  );
  return `<nav class="contents" aria-label="On this page">\n<h2>On this page</h2>\n<ul>\n${
    items.join("\n")
  }\n</ul>\n</nav>`;
}

const LOGO =
  `<svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true" fill="none" stroke="currentColor"
 stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round"><path d="M8 3H7a2 2 0 0 0-2 2v5a2 2 0 0 1-2 2 2 2 0
 0 1 2 2v5a2 2 0 0 0 2 2h1M16 3h1a2 2 0 0 1 2 2v5a2 2 0 0 0 2 2 2 2 0 0 0-2 2v5a2 2 0 0 1-2 2h-1"/><circle cx="12"
 cy="12" r="1.6" fill="currentColor"/></svg>`;
const MENU =
  `<svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true" fill="none" stroke="currentColor"
 stroke-width="2" stroke-linecap="round"><path d="M4 6h16M4 12h16M4 18h16"/></svg>`;
const SUN =
  `<svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true"><circle cx="12" cy="12" r="8.5"
 fill="none" stroke="currentColor" stroke-width="2"/><path d="M12 3.5a8.5 8.5 0 0 1 0 17z" fill="currentColor"/></svg>`;

/** The icon of the site. */
export const ICON = LOGO.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ')
  .replaceAll("currentColor", "#c6302b");
