/**
 * Makes HTML of Markdown, as GitHub would, and notes what a table of contents and a search need.
 *
 * @module
 */

import GithubSlugger from "github-slugger";
import MarkdownIt from "markdown-it";
import { highlight } from "./highlight.ts";

/** A heading and what stands below it. */
export interface Section {
  readonly level: number;
  readonly title: string;
  /** The anchor, as GitHub makes it; `""` before the first heading. */
  readonly id: string;
  readonly text: string;
}

/** A document. */
export interface Rendered {
  readonly html: string;
  readonly sections: readonly Section[];
}

/** Makes HTML of a document; `resolve` gives each link and picture its place on the site. */
export function renderMarkdown(text: string, resolve: (link: string) => string): Rendered {
  const slugger = new GithubSlugger();
  const sections: { level: number; title: string; id: string; text: string }[] = [];
  const markdown = new MarkdownIt({ html: true, highlight: (code, language) => highlight(code, language) });
  markdown.core.ruler.push("sections", ({ tokens }) => {
    let section = { level: 1, title: "", id: "", text: "" };
    tokens.forEach((token, index) => {
      if (token.type === "heading_open") {
        const title = plain(tokens[index + 1]);
        section = { level: Number(token.tag.slice(1)), title, id: slugger.slug(title), text: "" };
        sections.push(section);
        token.attrSet("id", section.id);
      } else if (token.type === "fence") section.text += `${token.content} `;
      else if (token.type === "inline" && tokens[index - 1].type !== "heading_open") {
        section.text += `${plain(token)} `;
      }
      for (const child of token.children ?? []) {
        const name = child.type === "image" ? "src" : "href";
        const link = child.attrGet(name);
        if (link !== null) child.attrSet(name, resolve(String(link)));
      }
    });
  });
  const { rules } = markdown.renderer;
  rules.heading_close = (tokens, index) => {
    const id = tokens[index - 2].attrGet("id");
    return `<a class="here" href="#${id}" aria-label="Link to this heading"></a></${tokens[index].tag}>\n`;
  };
  // A wide table scrolls by itself, not the page.
  rules.table_open = () => `<div class="wide"><table>\n`;
  rules.table_close = () => "</table></div>\n";
  return { html: markdown.render(text), sections };
}

/** The text of a line, without what marks it up. */
function plain(token: { children: { type: string; content: string }[] | null }): string {
  return (token.children ?? []).map(({ type, content }) =>
    type === "softbreak" ? " " : /^(?:text|code_inline)$/.test(type) ? content : ""
  ).join("");
}
