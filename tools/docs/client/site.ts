/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * What a page of the site does by itself: search, colours, the list of pages on a phone, copies of code.
 *
 * @module
 */

import MiniSearch from "minisearch";
import { SEARCH_DATA, type SearchEntry } from "../search.ts";

/** An entry with what the search returns of it. */
type Found = SearchEntry & { readonly id: number };

/** How many results are shown. */
const MOST = 12;
/** How many characters are shown before and after a word that was found. */
const AROUND = 60;

/** Words of a question that say nothing. */
const FILLERS = new Set(
  "a an and are can do does for how i in is it my of on the to what when which with".split(" "),
);
/** Pages that few look for. */
const ASIDE = /^(?:lua\/|CHANGELOG|CONTRIBUTING)/;

const root = document.documentElement;
const toRoot = root.dataset.root!;
const input = document.querySelector<HTMLInputElement>(".search input")!;
const list = document.querySelector<HTMLUListElement>("#results")!;

let index: Promise<MiniSearch<Found>> | undefined;
let chosen = -1;

function plainWords(text: string): string[] {
  return text.split(/[^\p{L}\p{N}_$]+/u).filter((word) => word !== "");
}

/** The words of a text; those of a name that is written inCamelCase count one by one, too. */
function words(text: string): string[] {
  return plainWords(text).flatMap((word) => {
    const parts = word.split(/(?<=\p{Ll})(?=\p{Lu})/u);
    return parts.length > 1 ? [word, ...parts] : parts;
  });
}

/** The data come with the first search, as a script, so that the site works from a folder, too. */
function loadIndex(): Promise<MiniSearch<Found>> {
  index ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `${toRoot}search.js`;
    script.onerror = () => reject(new Error("Cannot load the data of the search"));
    script.onload = () => {
      const entries = (globalThis as unknown as Record<string, SearchEntry[]>)[SEARCH_DATA];
      const search = new MiniSearch<Found>({
        fields: ["title", "page", "text"],
        storeFields: ["title", "page", "text", "url", "isSymbol"],
        tokenize: words,
        searchOptions: {
          tokenize: plainWords,
          boost: { title: 5, page: 2 },
          prefix: true,
          fuzzy: (word) => word.length > 4 ? 0.2 : false,
          combineWith: "AND",
          processTerm: (term) => FILLERS.has(term.toLowerCase()) ? null : term.toLowerCase(),
        },
      });
      search.addAll(entries.map((entry, id) => ({ ...entry, id })));
      resolve(search);
    };
    document.head.append(script);
  });
  return index;
}

async function search(): Promise<void> {
  const query = input.value.trim();
  if (query === "") return hide();
  const found = (await loadIndex()).search(query, {
    boostDocument: (_id, _term, stored) => boost(stored as unknown as Found, query.toLowerCase()),
  });
  if (input.value.trim() !== query) return;
  chosen = -1;
  const terms = [...new Set(found.slice(0, MOST).flatMap(({ terms }) => terms))];
  const items = found.slice(0, MOST).map((result, place) => {
    const { title, page, text, url, isSymbol } = result as unknown as Found;
    const item = document.createElement("li");
    item.id = `result${place}`;
    item.role = "option";
    const link = document.createElement("a");
    link.href = toRoot + encodeURI(url);
    link.tabIndex = -1;
    const name = element("span", isSymbol ? "name symbol" : "name", title || page);
    link.append(name, element("span", "page", page === title ? "" : page), mark(excerpt(text, terms), terms));
    item.append(link);
    return item;
  });
  if (items.length === 0) {
    const nothing = document.createElement("li");
    nothing.className = "nothing";
    nothing.textContent = `Nothing about “${query}”`;
    items.push(nothing);
  }
  list.replaceChildren(...items);
  list.hidden = false;
  input.setAttribute("aria-expanded", "true");
  if (found.length > 0) choose(0);
}

/** How much more than by its words an entry is worth. */
function boost({ title, url, isSymbol }: Found, query: string): number {
  const name = title.toLowerCase();
  const last = name.split(".").at(-1)!;
  if (isSymbol) {
    // Who types a name wants that place first, and first of all the one in the dictionary.
    const fit = last === query ? 8 : query.split(" ").some((word) => last.includes(word)) ? 1 : 0.3;
    return fit * (name.startsWith("redisjsondict") ? 1.5 : 1);
  }
  return (name.startsWith(query) ? 6 : 1) * (ASIDE.test(url) ? 0.3 : 1);
}

function element(name: string, className: string, text: string): HTMLElement {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

/** A little of a text around the first of some words. */
function excerpt(text: string, terms: readonly string[]): string {
  const lower = text.toLowerCase();
  const places = terms.map((term) => lower.indexOf(term)).filter((place) => place >= 0);
  const first = places.length > 0 ? Math.min(...places) : 0;
  const start = first <= AROUND ? 0 : text.lastIndexOf(" ", first - AROUND / 2) + 1;
  return (start > 0 ? "…" : "") + text.slice(start, start + 3 * AROUND);
}

/** The text with the words marked; as text, never as HTML. */
function mark(text: string, terms: readonly string[]): HTMLElement {
  const line = element("span", "excerpt", "");
  if (terms.length === 0) return line;
  const escaped = terms.map((term) => term.replaceAll("$", "\\$"));
  for (const piece of text.split(new RegExp(`(?<![\\p{L}\\p{N}])(${escaped.join("|")})`, "iu"))) {
    line.append(terms.includes(piece.toLowerCase()) ? element("mark", "", piece) : piece);
  }
  return line;
}

function choose(next: number): void {
  const items = list.querySelectorAll("[role=option]");
  if (items.length === 0) return;
  items[chosen]?.removeAttribute("aria-selected");
  chosen = (next + items.length) % items.length;
  items[chosen].setAttribute("aria-selected", "true");
  items[chosen].scrollIntoView({ block: "nearest" });
  input.setAttribute("aria-activedescendant", items[chosen].id);
}

function hide(): void {
  list.hidden = true;
  input.setAttribute("aria-expanded", "false");
  input.removeAttribute("aria-activedescendant");
}

input.addEventListener("focus", () => void loadIndex().then(search));
input.addEventListener("input", () => void search());
input.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    hide();
    input.blur();
  } else if (list.hidden) return;
  else if (event.key === "ArrowDown") choose(chosen + 1);
  else if (event.key === "ArrowUp") choose(chosen - 1);
  else if (event.key === "Enter") {
    list.querySelectorAll<HTMLAnchorElement>("[role=option] a")[chosen]?.click();
    hide();
  } else return;
  event.preventDefault();
});
document.addEventListener("click", ({ target }) => {
  if (!(target as Element).closest(".search")) hide();
});
list.addEventListener("click", hide);
document.addEventListener("keydown", (event) => {
  const isTyping = /^(?:INPUT|TEXTAREA|SELECT)$/.test((event.target as Element).tagName);
  const isCall = (event.key === "/" && !isTyping) || (event.key === "k" && (event.ctrlKey || event.metaKey));
  if (!isCall) return;
  event.preventDefault();
  input.focus();
  input.select();
});

document.querySelector(".theme")!.addEventListener("click", () => {
  const isDark = !root.classList.contains("dark");
  root.classList.toggle("dark", isDark);
  root.dataset.theme = isDark ? "dark" : "light";
  localStorage.setItem("theme", root.dataset.theme);
});

const menu = document.querySelector(".menu")!;
const pages = document.querySelector<HTMLElement>("#pages")!;
function showPages(isShown: boolean): void {
  root.classList.toggle("menu-open", isShown);
  menu.setAttribute("aria-expanded", String(isShown));
}
menu.addEventListener("click", () => showPages(!root.classList.contains("menu-open")));
document.addEventListener("keydown", ({ key }) => {
  if (key === "Escape") showPages(false);
});
const current = pages.querySelector<HTMLElement>("[aria-current]");
if (current && current.offsetTop > pages.clientHeight) {
  pages.scrollTop = current.offsetTop - pages.clientHeight / 3;
}

for (const block of document.querySelectorAll<HTMLElement>("pre.code")) {
  const button = element("button", "copy", "Copy") as HTMLButtonElement;
  button.type = "button";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(block.querySelector("code")!.textContent ?? "");
    button.textContent = "Copied";
    setTimeout(() => button.textContent = "Copy", 1500);
  });
  const frame = element("div", "block", "");
  block.replaceWith(frame);
  frame.append(block, button);
}

// The part that is read is marked in the contents.
const links = [...document.querySelectorAll<HTMLAnchorElement>(".contents a")];
const targets = links.map((link) => document.getElementById(decodeURIComponent(link.hash.slice(1))));
if (links.length > 0) {
  const update = (): void => {
    let last = 0;
    targets.forEach((target, place) => {
      if (target && target.getBoundingClientRect().top < 120) last = place;
    });
    links.forEach((link, place) => link.classList.toggle("here", place === last));
  };
  document.addEventListener("scroll", update, { passive: true });
  update();
}
