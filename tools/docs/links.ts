/**
 * Looks for what is wrong with the pages of a site: dead links and anchors, and whatever comes from another host.
 *
 * @module
 */

import { Parser } from "htmlparser2";

/** What a page has and where it leads. */
interface Links {
  readonly ids: Set<string>;
  /** Of links. */
  readonly targets: string[];
  /** Of what a browser loads by itself. */
  readonly resources: string[];
}

/** The attributes by which a page loads something. */
const LOADS: Readonly<Record<string, readonly string[]>> = {
  audio: ["src"],
  embed: ["src"],
  form: ["action"],
  iframe: ["src"],
  image: ["href", "xlink:href"],
  img: ["src", "srcset"],
  input: ["src"],
  link: ["href"],
  object: ["data"],
  script: ["src"],
  source: ["src", "srcset"],
  use: ["href", "xlink:href"],
  video: ["src", "poster"],
};

/** A link to another site, which a person may follow. */
const OUTBOUND = /^(?:https?|mailto):/i;

/** Returns what is wrong with a site, given as paths and contents; an empty list if nothing is. */
export function findProblems(files: ReadonlyMap<string, string | Uint8Array>): string[] {
  const problems: string[] = [];
  const pages = new Map<string, Links>();
  for (const [path, content] of files) {
    if (typeof content !== "string") continue;
    if (path.endsWith(".html")) pages.set(path, readLinks(content));
    else if (path.endsWith(".css")) problems.push(...foreignStyles(path, content));
  }
  for (const [path, { targets, resources }] of pages) {
    for (const target of targets) {
      if (OUTBOUND.test(target)) continue;
      const problem = whatIsWrong(path, target, files, pages);
      if (problem) problems.push(`${path}: ${problem}: ${target}`);
    }
    for (const resource of resources) {
      if (resource.startsWith("data:")) continue;
      const problem = whatIsWrong(path, resource, files, pages);
      if (problem) problems.push(`${path} loads what it should not: ${problem}: ${resource}`);
    }
  }
  return problems;
}

function readLinks(html: string): Links {
  const links: Links = { ids: new Set(), targets: [], resources: [] };
  const parser = new Parser({
    onopentag(name, attributes) {
      if (attributes.id) links.ids.add(attributes.id);
      if (name === "a" && attributes.href !== undefined) links.targets.push(attributes.href);
      if (name === "meta" && /^refresh$/i.test(attributes["http-equiv"] ?? "")) {
        links.resources.push(attributes.content.replace(/^.*url=/i, ""));
      }
      for (const attribute of LOADS[name] ?? []) {
        const value = attributes[attribute];
        if (value === undefined) continue;
        if (attribute !== "srcset") links.resources.push(value);
        else links.resources.push(...value.split(",").map((each) => each.trim().split(/\s/)[0]));
      }
      if (/url\(\s*(?!["']?(?:data:|#))/i.test(attributes.style ?? "")) {
        links.resources.push(attributes.style);
      }
    },
  });
  parser.write(html);
  parser.end();
  return links;
}

function whatIsWrong(
  from: string,
  target: string,
  files: ReadonlyMap<string, unknown>,
  pages: ReadonlyMap<string, Links>,
): string | undefined {
  if (/^(?:[a-z][a-z0-9+.-]*:|\/)/i.test(target)) return "not a place on this site";
  const base = new URL(from.split("/").map(encodeURIComponent).join("/"), "file:///site/");
  const url = new URL(target, base);
  if (!url.pathname.startsWith("/site/")) return "outside of the site";
  const path = decodeURIComponent(url.pathname.slice("/site/".length));
  if (!files.has(path)) return "no such page";
  const anchor = decodeURIComponent(url.hash.slice(1));
  if (anchor !== "" && !pages.get(path)?.ids.has(anchor)) return "no such anchor";
}

function foreignStyles(path: string, css: string): string[] {
  return [...css.matchAll(/@import[^;]*|url\(\s*(?!["']?(?:data:|#))[^)]*\)/gi)]
    .map(([load]) => `${path} loads something: ${load}`);
}
